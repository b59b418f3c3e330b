//! Where bodies over 256 KiB lie when the store is PostgreSQL, as an operator writes it.
//!
//! Never: a key to a bucket on the command line, where every process of the machine can read it.

use super::StorePlace;
use anyhow::bail;
use store::BodyPlacement;

/// What stands before a bucket.
const BUCKET: &str = "s3://";

/// The arguments that say where they lie.
#[derive(clap::Args, Clone, Debug)]
pub struct BodyArguments {
    /// Where bodies over 256 KiB lie when the store is PostgreSQL: `rows` in it, a folder that all nodes see, or
    /// s3://BUCKET/PREFIX in a binary that was built with --features s3. The same for every node.
    #[arg(long, value_name = "rows|DIR|s3://…", default_value = "rows")]
    pub bodies: String,
    /// More about the bucket.
    #[cfg(feature = "s3")]
    #[command(flatten)]
    pub bucket: BucketArguments,
}

/// The arguments about a bucket.
#[cfg(feature = "s3")]
#[derive(clap::Args, Clone, Default, Debug)]
pub struct BucketArguments {
    /// The bucket's region. Without it us-east-1, which servers that have none take.
    #[arg(long, value_name = "REGION")]
    pub bodies_region: Option<String>,
    /// The server, without the bucket; without it Amazon's of the region.
    #[arg(long, value_name = "URL")]
    pub bodies_endpoint: Option<String>,
    /// The server of --bodies-endpoint is asked as BUCKET.HOST instead of as HOST/BUCKET.
    #[arg(long, requires = "bodies_endpoint")]
    pub bodies_virtual_host: bool,
    /// Certificates of the authorities that the server's own certificate may come from, as PEM.
    #[arg(long, value_name = "FILE")]
    pub bodies_ca: Option<std::path::PathBuf>,
    /// The file with the keys: lines `aws_access_key_id = …` and `aws_secret_access_key = …`. Without it, the variables
    /// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
    #[arg(long, value_name = "FILE")]
    pub bodies_keys: Option<std::path::PathBuf>,
}

impl BodyArguments {
    /// What they name.
    ///
    /// # Errors
    /// When it is no place of bodies, or does not go with the store.
    pub fn placement(&self, place: &StorePlace) -> anyhow::Result<BodyPlacement> {
        if self.bodies == "rows" {
            return Ok(BodyPlacement::Rows);
        }
        if matches!(place, StorePlace::Sqlite) {
            bail!("--bodies goes with a PostgreSQL database in --store; on SQLite large bodies lie in the data folder");
        }
        match self.bodies.strip_prefix(BUCKET) {
            Some(names) => self.bucket(names),
            None => Ok(BodyPlacement::Folder(self.bodies.as_str().into())),
        }
    }

    #[cfg(not(feature = "s3"))]
    fn bucket(&self, _: &str) -> anyhow::Result<BodyPlacement> {
        bail!("--bodies names a bucket, and this binary was built without: build it with --features s3")
    }

    /// `BUCKET/PREFIX`.
    #[cfg(feature = "s3")]
    fn bucket(&self, names: &str) -> anyhow::Result<BodyPlacement> {
        use store::{Addressing, S3Keys, S3Settings};

        let more = &self.bucket;
        let (bucket, prefix) = names.split_once('/').unwrap_or((names, ""));
        let region = more.bodies_region.clone().unwrap_or_else(|| "us-east-1".to_owned());
        let (endpoint, addressing) = match (&more.bodies_endpoint, more.bodies_virtual_host) {
            (None, _) => (format!("https://s3.{region}.amazonaws.com"), Addressing::VirtualHost),
            (Some(endpoint), true) => (endpoint.clone(), Addressing::VirtualHost),
            (Some(endpoint), false) => (endpoint.clone(), Addressing::Path),
        };
        let keys = match &more.bodies_keys {
            Some(file) => S3Keys::read(file)?,
            None => keys_of_the_environment()?,
        };
        let (bucket, prefix, ca) = (bucket.to_owned(), prefix.to_owned(), more.bodies_ca.clone());
        Ok(BodyPlacement::S3(S3Settings { endpoint, region, bucket, prefix, addressing, keys, ca }))
    }
}

#[cfg(feature = "s3")]
#[expect(clippy::disallowed_methods, reason = "the environment is read by node alone, and where Amazon's tools look")]
fn keys_of_the_environment() -> anyhow::Result<store::S3Keys> {
    let [access, secret] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(std::env::var);
    match (access, secret) {
        (Ok(access), Ok(secret)) => Ok(store::S3Keys::new(&access, &secret)),
        _ => bail!(
            "the bucket of --bodies needs keys: a file in --bodies-keys, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared() -> StorePlace {
        let Ok(url) = "postgres://db/mail".parse();
        StorePlace::Postgres { url, keys: None, ca: None }
    }

    fn bodies(text: &str) -> BodyArguments {
        BodyArguments {
            bodies: text.to_owned(),
            #[cfg(feature = "s3")]
            bucket: BucketArguments::default(),
        }
    }

    #[test]
    fn rows_and_folders_are_told_apart_and_sqlite_has_its_own() {
        assert!(matches!(bodies("rows").placement(&shared()), Ok(BodyPlacement::Rows)));
        assert!(matches!(bodies("rows").placement(&StorePlace::Sqlite), Ok(BodyPlacement::Rows)));
        let folder = bodies("/srv/bodies").placement(&shared());
        assert!(matches!(folder, Ok(BodyPlacement::Folder(path)) if path.ends_with("srv/bodies")));
        assert!(bodies("/srv/bodies").placement(&StorePlace::Sqlite).is_err());
        assert!(bodies("s3://mail").placement(&StorePlace::Sqlite).is_err());
    }

    #[cfg(not(feature = "s3"))]
    #[test]
    fn a_bucket_needs_another_build() {
        let refused = bodies("s3://mail").placement(&shared()).unwrap_err();
        assert!(refused.to_string().contains("--features s3"), "{refused}");
    }

    #[cfg(feature = "s3")]
    #[test]
    fn a_bucket_is_amazon_s_unless_a_server_is_named() {
        use store::{Addressing, S3Settings};

        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        std::fs::write(&keys, "aws_access_key_id = a\naws_secret_access_key = SECRET\n").unwrap();
        let settings = |more: BucketArguments| -> S3Settings {
            let bucket = BucketArguments { bodies_keys: Some(keys.clone()), ..more };
            let placed = BodyArguments { bodies: "s3://mail/one/two".to_owned(), bucket }.placement(&shared());
            match placed.unwrap() {
                BodyPlacement::S3(settings) => settings,
                other => panic!("{other:?}"),
            }
        };
        let amazon = settings(BucketArguments { bodies_region: Some("eu-west-1".to_owned()), ..Default::default() });
        assert_eq!((amazon.bucket.as_str(), amazon.prefix.as_str()), ("mail", "one/two"));
        assert_eq!(amazon.endpoint, "https://s3.eu-west-1.amazonaws.com");
        assert_eq!(amazon.addressing, Addressing::VirtualHost);
        assert!(!format!("{amazon:?}").contains("SECRET"));
        let named = || BucketArguments { bodies_endpoint: Some("https://s3.example".to_owned()), ..Default::default() };
        let own = settings(named());
        assert_eq!((own.endpoint.as_str(), own.region.as_str()), ("https://s3.example", "us-east-1"));
        assert_eq!(own.addressing, Addressing::Path);
        let own = settings(BucketArguments { bodies_virtual_host: true, ..named() });
        assert_eq!(own.addressing, Addressing::VirtualHost);
    }
}
