//! Where bodies over 256 KiB lie when the store is PostgreSQL, as an operator writes it.

use super::StorePlace;
use anyhow::bail;
use store::BodyPlacement;

/// What stands before a bucket.
const BUCKET: &str = "s3://";

/// The argument that says where they lie.
#[derive(clap::Args, Clone, Debug)]
pub struct BodyArguments {
    /// Where bodies over 256 KiB lie when the store is PostgreSQL: `rows` in it, a folder that all nodes see, or
    /// s3://BUCKET/PREFIX?endpoint=https://HOST&keys=FILE (and region=, addressing=path or host, ca=FILE).
    #[arg(long, value_name = "rows|DIR|s3://…", default_value = "rows")]
    pub bodies: String,
}

impl BodyArguments {
    /// What it names.
    ///
    /// # Errors
    /// When it is no place of bodies, or does not go with the store.
    pub fn placement(&self, place: &StorePlace) -> anyhow::Result<BodyPlacement> {
        bodies(&self.bodies, place)
    }
}

fn bodies(text: &str, place: &StorePlace) -> anyhow::Result<BodyPlacement> {
    if text == "rows" {
        return Ok(BodyPlacement::Rows);
    }
    if matches!(place, StorePlace::Sqlite) {
        bail!("--bodies goes with a PostgreSQL database in --store; on SQLite large bodies lie in the data folder");
    }
    match text.strip_prefix(BUCKET) {
        Some(rest) => bucket(rest),
        None => Ok(BodyPlacement::Folder(text.into())),
    }
}

#[cfg(not(feature = "s3"))]
fn bucket(_: &str) -> anyhow::Result<BodyPlacement> {
    bail!("--bodies names a bucket, and this binary was built without: build it with --features s3")
}

/// `BUCKET/PREFIX?endpoint=https://HOST&keys=FILE`, and if wished `region`, `addressing` and `ca`.
#[cfg(feature = "s3")]
fn bucket(rest: &str) -> anyhow::Result<BodyPlacement> {
    use anyhow::Context as _;
    use std::path::Path;
    use store::{Addressing, S3Keys, S3Settings};

    let (names, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let (bucket, prefix) = names.split_once('/').unwrap_or((names, ""));
    let (mut endpoint, mut keys, mut ca) = (None, None, None);
    let (mut region, mut addressing) = ("us-east-1", Addressing::Path);
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=').unwrap_or((parameter, "")) {
            ("endpoint", value) => endpoint = Some(value),
            ("region", value) => region = value,
            ("keys", value) => keys = Some(Path::new(value)),
            ("ca", value) => ca = Some(value.into()),
            ("addressing", "path") => addressing = Addressing::Path,
            ("addressing", "host") => addressing = Addressing::VirtualHost,
            // The value is not repeated: somebody may have written a secret there.
            (name, _) => bail!("--bodies: {name} is no parameter of a bucket, or its value is none"),
        }
    }
    Ok(BodyPlacement::S3(S3Settings {
        endpoint: endpoint.context("--bodies: the bucket lacks endpoint=https://HOST")?.to_owned(),
        region: region.to_owned(),
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        addressing,
        keys: S3Keys::read(keys.context("--bodies: the bucket lacks keys=FILE, the file with its access keys")?)?,
        ca,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared() -> StorePlace {
        let Ok(url) = "postgres://db/mail".parse();
        StorePlace::Postgres { url, keys: None, ca: None }
    }

    #[test]
    fn rows_and_folders_are_told_apart_and_sqlite_has_its_own() {
        assert!(matches!(bodies("rows", &shared()), Ok(BodyPlacement::Rows)));
        assert!(matches!(bodies("rows", &StorePlace::Sqlite), Ok(BodyPlacement::Rows)));
        let folder = bodies("/srv/bodies", &shared());
        assert!(matches!(folder, Ok(BodyPlacement::Folder(path)) if path.ends_with("srv/bodies")));
        assert!(bodies("/srv/bodies", &StorePlace::Sqlite).is_err());
    }

    #[cfg(not(feature = "s3"))]
    #[test]
    fn a_bucket_needs_another_build() {
        let refused = bodies("s3://mail?endpoint=https://s3.example", &shared()).unwrap_err();
        assert!(refused.to_string().contains("--features s3"), "{refused}");
    }

    #[cfg(feature = "s3")]
    #[test]
    fn a_bucket_is_named_with_its_server_and_a_file_of_keys() {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        std::fs::write(&keys, "aws_access_key_id = a\naws_secret_access_key = SECRET\n").unwrap();
        let keys = format!("keys={}", keys.display());
        let text = format!("s3://mail/one/two?endpoint=https://s3.example&region=eu&addressing=host&{keys}");
        let Ok(BodyPlacement::S3(settings)) = bodies(&text, &shared()) else { panic!("no bucket") };
        assert_eq!((settings.bucket.as_str(), settings.prefix.as_str()), ("mail", "one/two"));
        assert_eq!((settings.endpoint.as_str(), settings.region.as_str()), ("https://s3.example", "eu"));
        assert_eq!(settings.addressing, store::Addressing::VirtualHost);
        assert!(!format!("{settings:?}").contains("SECRET"));
        for wrong in [
            "s3://mail",
            "s3://mail?endpoint=https://s3.example",
            &format!("s3://mail?{keys}"),
            &format!("{text}&x=SECRET"),
        ] {
            let refused = bodies(wrong, &shared()).map(drop).unwrap_err();
            assert!(!format!("{refused:#}").contains("SECRET"), "{refused:#}");
        }
    }
}
