//! What happens in a case, drawn by chance: who is mailed by which door, how the receiver behaves, who decides what
//! and where, and when the clock moves.

use super::dice::Dice;
use std::collections::HashSet;
use testkit::mx::Stage;

/// People of a case; each is a recipient of both controllers.
pub(crate) const PEOPLE: usize = 3;
/// Controllers.
pub(crate) const CONTROLLERS: usize = 2;
/// Steps of a case.
const STEPS: usize = 16;

/// The streams that each controller has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Stream {
    Receipt,
    News,
    Offers,
}

impl Stream {
    pub(crate) const ALL: [Self; 3] = [Self::Receipt, Self::News, Self::Offers];
    pub(crate) const MARKETING: [Self; 2] = [Self::News, Self::Offers];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Receipt => "transactional",
            Self::News => "newsletter",
            Self::Offers => "offers",
        }
    }

    pub(crate) fn is_marketing(self) -> bool {
        self != Self::Receipt
    }
}

/// A person as one controller knows him.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Seat {
    pub(crate) controller: usize,
    pub(crate) person: usize,
}

/// By which door a message comes in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Door {
    Http,
    Smtp,
}

/// What is decided, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wish {
    /// `POST /v1/consents/withdraw`.
    Api(Stream),
    /// The one click of a mail program (RFC 8058).
    OneClick(Stream),
    /// The footer's page: this purpose.
    Page(Stream),
    /// The footer's page: everything.
    PageAll(Stream),
    /// The preference page, saved with nothing ticked.
    Preferences,
    /// The preference page's one button.
    Leave,
    /// "Why did I get this?": consent withdrawn.
    WhyWithdraw(Stream),
    /// "Why did I get this?": objection.
    WhyObject(Stream),
    /// `POST /v1/suppressions`.
    SuppressAll,
    /// The same for marketing.
    SuppressMarketing,
    /// The same for one stream.
    SuppressStream(Stream),
    /// `POST /v1/consents` says again that he consented: it brings back nothing that he left.
    Retold(Stream),
}

impl Wish {
    /// Does it stop this stream?
    pub(crate) fn covers(self, stream: Stream) -> bool {
        match self {
            Self::Api(one) | Self::OneClick(one) | Self::Page(one) | Self::WhyWithdraw(one) => one == stream,
            Self::SuppressStream(one) => one == stream,
            Self::PageAll(_) | Self::Preferences | Self::Leave | Self::WhyObject(_) | Self::SuppressMarketing => {
                stream.is_marketing()
            }
            Self::SuppressAll => true,
            Self::Retold(_) => false,
        }
    }

    fn draw(dice: &mut Dice) -> Self {
        let stream = dice.one_of(&Stream::MARKETING);
        match dice.below(22) {
            0..=2 => Self::Api(stream),
            3..=6 => Self::OneClick(stream),
            7..=8 => Self::Page(stream),
            9 => Self::PageAll(stream),
            10..=11 => Self::Preferences,
            12 => Self::Leave,
            13 => Self::WhyWithdraw(stream),
            14..=15 => Self::WhyObject(stream),
            16 => Self::SuppressAll,
            17 => Self::SuppressMarketing,
            18..=19 => Self::Retold(stream),
            _ => Self::SuppressStream(dice.one_of(&Stream::ALL)),
        }
    }
}

/// What the receiver does with the next attempts for a person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Trouble {
    /// 451 at a stage.
    Later(Stage),
    /// The connection is cut when content comes.
    CutBeforeDot,
    /// The message is taken and the connection cut without a reply.
    CutAfterDot,
}

/// One thing that happens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    Send(Seat, Stream, Door),
    Decide(Seat, Wish),
    /// All at once.
    Together(Vec<Step>),
    /// A message is stopped at a stage by the receiver, then its recipient decides, then the receiver goes on.
    Caught(Seat, Stream, Door, Stage, Wish),
    /// The first attempts of a message fail; its recipient decides while it waits for its time, or is just tried.
    Postponed(Seat, Stream, Door, Vec<Trouble>, Wish),
    /// So many messages to one person by all doors at once, and meanwhile he decides.
    Burst(Seat, Stream, usize, Wish),
    /// The next attempts for a person fail.
    Fail(usize, Vec<Trouble>),
    /// Connections that begin from now on: pipelining, milliseconds before each reply, messages on each.
    Manners(bool, u64, u64),
    /// The clock moves so many seconds.
    Clock(u64),
}

/// Whom a story has stopped being mailed, and on which stream.
type Stopped = HashSet<(Seat, Stream)>;

/// Draws a case.
pub(crate) fn draw(dice: &mut Dice) -> Vec<Step> {
    let mut stopped = Stopped::new();
    (0..STEPS).map(|_| step(dice, &mut stopped)).collect()
}

fn step(dice: &mut Dice, stopped: &mut Stopped) -> Step {
    match dice.below(100) {
        0..=17 => send(dice),
        18..=27 => decide(dice, stopped),
        28..=39 => {
            let count = 2 + dice.below(5);
            let one = |dice: &mut Dice, stopped: &mut Stopped| match dice.below(10) {
                0..=5 => send(dice),
                6..=8 => decide(dice, stopped),
                _ => Step::Clock(60),
            };
            Step::Together((0..count).map(|_| one(dice, stopped)).collect())
        }
        40..=75 => at_stake(dice, stopped),
        76..=83 => Step::Fail(dice.below(PEOPLE), troubles(dice)),
        84..=89 => Step::Manners(dice.percent(60), dice.one_of(&[0, 0, 3, 20]), dice.one_of(&[1, 3, 100])),
        _ => Step::Clock(dice.one_of(&[10, 120, 900, 3_600])),
    }
}

fn troubles(dice: &mut Dice) -> Vec<Trouble> {
    let stages = [Stage::Recipient, Stage::Data, Stage::EndOfData];
    let trouble = |dice: &mut Dice| match dice.below(10) {
        0..=7 => Trouble::Later(dice.one_of(&stages)),
        8 => Trouble::CutBeforeDot,
        _ => Trouble::CutAfterDot,
    };
    let count = 1 + dice.below(3);
    (0..count).map(|_| trouble(dice)).collect()
}

fn seat(dice: &mut Dice) -> Seat {
    Seat { controller: dice.below(CONTROLLERS), person: dice.below(PEOPLE) }
}

fn send(dice: &mut Dice) -> Step {
    Step::Send(seat(dice), dice.one_of(&Stream::ALL), dice.one_of(&[Door::Http, Door::Smtp]))
}

fn decide(dice: &mut Dice, stopped: &mut Stopped) -> Step {
    let (seat, wish) = (seat(dice), Wish::draw(dice));
    note(stopped, seat, wish);
    Step::Decide(seat, wish)
}

fn note(stopped: &mut Stopped, seat: Seat, wish: Wish) {
    stopped.extend(Stream::ALL.into_iter().filter(|stream| wish.covers(*stream)).map(|stream| (seat, stream)));
}

/// A message and a decision about it. Only for who may still be mailed, by a wish that stops just that; otherwise
/// something simpler.
fn at_stake(dice: &mut Dice, stopped: &mut Stopped) -> Step {
    let (seat, stream, wish) = (seat(dice), dice.one_of(&Stream::MARKETING), Wish::draw(dice));
    if stopped.contains(&(seat, stream)) || !wish.covers(stream) {
        return send(dice);
    }
    note(stopped, seat, wish);
    let door = dice.one_of(&[Door::Http, Door::Smtp]);
    match dice.below(4) {
        0 => Step::Postponed(seat, stream, door, troubles(dice), wish),
        1 => Step::Burst(seat, stream, 2 + dice.below(7), wish),
        _ => {
            let stage = dice.one_of(&[Stage::Mail, Stage::Recipient, Stage::Data, Stage::Data, Stage::EndOfData]);
            Step::Caught(seat, stream, door, stage, wish)
        }
    }
}
