//! One question to a time server that the operator named (SNTP: RFC 4330 §5, RFC 5905 §7.3).
//!
//! Invariant: one datagram goes there, and an answer to another question is none.

use crate::clock::SystemClock;
use anyhow::{Context as _, ensure};
use model::Clock as _;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::timeout;

const PORT: u16 = 123;
const OCTETS: usize = 48;
/// No warning of leap seconds, version 4, a client (RFC 4330 §4).
const ASKING: u8 = 0x23;
const PATIENCE: Duration = Duration::from_secs(5);
/// Seconds from 1900 to 1970.
const ERA_S: i64 = 2_208_988_800;

/// What the server's clock is ahead of this one, in microseconds.
pub(super) async fn offset_micros(server: &str) -> anyhow::Result<i64> {
    let place = if server.parse::<SocketAddr>().is_ok() || (server.contains(':') && !server.ends_with(']')) {
        server.to_owned()
    } else {
        format!("{server}:{PORT}")
    };
    timeout(PATIENCE, asked(&place)).await.map_err(|_| anyhow::anyhow!("no answer within 5 seconds"))?
}

async fn asked(place: &str) -> anyhow::Result<i64> {
    let address = tokio::net::lookup_host(place).await?.next().context("it has no address")?;
    let here: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(here).await?;
    socket.connect(address).await?;
    let sent = SystemClock.now().micros();
    let mut question = [0_u8; OCTETS];
    question[0] = ASKING;
    question[40..].copy_from_slice(&stamp(sent).to_be_bytes());
    socket.send(&question).await?;
    let mut answer = [0_u8; OCTETS];
    let octets = socket.recv(&mut answer).await?;
    read(&question, answer.get(..octets).unwrap_or_default(), sent, SystemClock.now().micros())
}

/// RFC 4330 §5: half of both ways.
fn read(question: &[u8; OCTETS], answer: &[u8], sent: i64, came: i64) -> anyhow::Result<i64> {
    let answer: &[u8; OCTETS] = answer.try_into().context("its answer is no NTP")?;
    ensure!(answer[0] & 7 == 4 && answer[24..32] == question[40..], "its answer is to another question");
    // RFC 4330 §8: stratum 0 is a server that asks to be left alone; a leap of 3 is one without the time.
    ensure!(answer[1] != 0 && answer[0] >> 6 != 3, "it has no time to tell, or asks to be left alone");
    let (received, answered) = (micros(&answer[32..40]), micros(&answer[40..]));
    Ok(((received - sent) + (answered - came)) / 2)
}

/// As NTP counts: seconds since 1900 and their parts of 2^32.
fn stamp(micros: i64) -> u64 {
    let seconds = (micros.div_euclid(1_000_000) + ERA_S).cast_unsigned();
    let part = micros.rem_euclid(1_000_000).cast_unsigned();
    (seconds << 32) | ((part << 32) / 1_000_000)
}

fn micros(octets: &[u8]) -> i64 {
    let stamp = octets.iter().fold(0_u64, |stamp, octet| stamp << 8 | u64::from(*octet));
    let (seconds, part) = (stamp >> 32, stamp & 0xFFFF_FFFF);
    // RFC 5905 §6: after 2036 seconds are counted anew, which is seen by the highest bit.
    let seconds = if seconds >> 31 == 0 { seconds + (1 << 32) } else { seconds };
    (seconds.cast_signed() - ERA_S) * 1_000_000 + ((part * 1_000_000) >> 32).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc4330_5_the_offset_is_half_of_both_ways_and_only_an_answer_counts() {
        let (sent, came) = (1_800_000_000_000_000, 1_800_000_000_200_000);
        let mut question = [0; OCTETS];
        question[40..].copy_from_slice(&stamp(sent).to_be_bytes());
        let mut answer = [0; OCTETS];
        (answer[0], answer[1]) = (0x24, 2);
        answer[24..32].copy_from_slice(&question[40..]);
        for at in [32, 40] {
            answer[at..at + 8].copy_from_slice(&stamp(sent + 5_100_000).to_be_bytes());
        }
        let found = read(&question, &answer, sent, came).unwrap();
        assert!((found - 5_000_000).abs() < 10, "{found}");
        let mut of_another = answer;
        of_another[24] ^= 1;
        assert!(read(&question, &of_another, sent, came).is_err());
        answer[1] = 0;
        assert!(read(&question, &answer, sent, came).is_err());
        assert!(read(&question, &answer[..20], sent, came).is_err());
    }

    #[test]
    fn rfc5905_6_times_after_2036_are_read() {
        for micros in [1_800_000_000_000_000, 2_400_000_000_000_000] {
            assert!((super::micros(&stamp(micros).to_be_bytes()) - micros).abs() <= 1, "{micros}");
        }
    }
}
