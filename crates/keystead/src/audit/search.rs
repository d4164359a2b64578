//! `keystead audit search`: records that fit, the newest first to be looked at. What the server gives is what the
//! caller may read; the looking is done here, so no new right and no new route is needed.

use super::pages::Pages;
use super::record::{HEADINGS, Record};
use crate::exit::Failure;
use crate::key::Shown;
use crate::key::connection::{ConnectionArgs, failure};
use crate::output::{self, time};
use keystead_audit::ReceiptText;
use keystead_client::ClientError;
use keystead_model::Name;

/// Records stand in the order of writing, and their times are those of entering: work that began earlier may stand
/// later, and a clock may have been set. Looking goes on so many milliseconds beyond `--since`.
const SLACK: i64 = 3_600_000;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead audit search --key payments --action keys/sign
  keystead audit search --outcome denied --since 2026-01-01 --until 2026-02-01
  keystead audit search --operation 0123456789abcdef0123456789abcdef
  keystead audit search --by-receipt 1.0123...7.AbCd... --output json
  keystead audit search --caller 1b4e28ba-2fa1-41d2-883f-0016d3cca427 --before 5000

A record has to fit everything that is given. Reading is recorded too, once for
each 500 records that are looked at.")]
pub(crate) struct Search {
    #[command(flatten)]
    wanted: Wanted,
    /// Most records shown; those that fit and are newest
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Look only at records before this index: the next page of an earlier search
    #[arg(long, value_name = "INDEX")]
    before: Option<u64>,
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    shown: Shown,
}

/// What a record has to be.
#[derive(Debug, Default, clap::Args)]
struct Wanted {
    /// Not before this time
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    since: Option<i64>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    until: Option<i64>,
    /// What was asked, as `tail` shows it: keys/sign; `keys/` for all that begins so
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// What came of it
    #[arg(long, value_enum, value_name = "OUTCOME")]
    outcome: Option<Outcome>,
    /// Who asked: subject or application
    #[arg(long, value_name = "ID")]
    caller: Option<String>,
    /// The key it was about
    #[arg(long, value_name = "NAME", value_parser = name)]
    key: Option<Name>,
    /// The operation's id, as the server's log and traces show it
    #[arg(long, value_name = "ID", conflicts_with = "by_receipt")]
    operation: Option<String>,
    /// The record of this receipt
    #[arg(long, value_name = "RECEIPT", value_parser = receipt)]
    by_receipt: Option<ReceiptText>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Outcome {
    Done,
    Denied,
    Failed,
}

fn name(text: &str) -> Result<Name, String> {
    Name::parse(text).map_err(|e| e.to_string())
}

fn receipt(text: &str) -> Result<ReceiptText, String> {
    text.parse::<ReceiptText>().map_err(|e| e.to_string())
}

/// What was found.
struct Found {
    /// Oldest first.
    records: Vec<Record>,
    /// Where the next page goes on, if there is more to look at.
    before: Option<u64>,
    receipts: Vec<String>,
}

impl Search {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let client = self.connection.client().await?;
        let pages = Pages::of(&client).await.map_err(|e| failure(&e))?;
        let mut pages = pages.ok_or_else(|| Failure::refused("the vault has no log on this node"))?;
        let (records, before) = match &self.wanted.by_receipt {
            Some(receipt) => self.at(&mut pages, receipt).await?,
            None => self.backwards(&mut pages).await.map_err(|e| self.shown.failure(&e))?,
        };
        self.print(&Found { records, before, receipts: pages.receipts })
    }

    /// The one record of a receipt.
    async fn at(&self, pages: &mut Pages<'_>, receipt: &ReceiptText) -> Result<(Vec<Record>, Option<u64>), Failure> {
        if hex::encode(receipt.log) != pages.log {
            return Err(Failure::refused("the receipt is of another log than this vault's on this node"));
        }
        let mut page = pages.read(receipt.index, 1).await.map_err(|e| self.shown.failure(&e))?;
        page.retain(|r| r.index == receipt.index && self.wanted.fits(r));
        Ok((page, None))
    }

    /// Page by page from the newest, until enough fit, all was looked at, or the rest is too old.
    async fn backwards(&self, pages: &mut Pages<'_>) -> Result<(Vec<Record>, Option<u64>), ClientError> {
        let (mut records, mut before) = (Vec::new(), None);
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let newest = pages.newest().await?;
        let mut end = self.before.map_or(newest, |before| before.min(newest));
        while end > 0 && before.is_none() {
            let (page, start) = pages.before(end).await?;
            let too_old = self.wanted.all_older(&page);
            for record in page.into_iter().rev() {
                if records.len() >= limit {
                    before = Some(record.index.saturating_add(1));
                    break;
                }
                if self.wanted.fits(&record) {
                    records.push(record);
                }
            }
            if too_old {
                break;
            }
            end = start;
        }
        records.reverse();
        Ok((records, before))
    }

    fn print(&self, found: &Found) -> Result<(), Failure> {
        if self.shown.is_json() {
            return output::json(&serde_json::json!({
                "records": found.records, "before": found.before, "receipts": found.receipts,
            }));
        }
        output::table(HEADINGS, found.records.iter().map(Record::row))?;
        if let Some(before) = found.before {
            output::note(&format!("there may be more: --before {before}"));
        }
        found.receipts.iter().for_each(|receipt| self.shown.receipt(Some(receipt)));
        Ok(())
    }
}

impl Wanted {
    fn fits(&self, record: &Record) -> bool {
        let millis = |seconds: i64| seconds.saturating_mul(1000);
        let more = |name: &str| record.more.get(name).and_then(|v| v.as_str());
        let is = |wanted: Option<&str>, there: Option<&str>| wanted.is_none_or(|w| there == Some(w));
        let caller = |id: &String| record.subject.as_ref() == Some(id) || more("application") == Some(id);
        self.since.is_none_or(|t| record.time >= millis(t))
            && self.until.is_none_or(|t| record.time < millis(t))
            && self
                .action
                .as_ref()
                .is_none_or(|a| record.action == *a || (a.ends_with('/') && record.action.starts_with(a.as_str())))
            && self.outcome.is_none_or(|o| record.outcome == o.word())
            && self.caller.as_ref().is_none_or(caller)
            && self.key.as_ref().is_none_or(|key| about(record, key))
            && is(self.operation.as_deref(), more("operation"))
    }

    /// Whether nothing before this page can fit.
    fn all_older(&self, page: &[Record]) -> bool {
        let oldest = |since: i64| since.saturating_mul(1000).saturating_sub(SLACK);
        self.since.is_some_and(|since| !page.is_empty() && page.iter().all(|r| r.time < oldest(since)))
    }
}

impl Outcome {
    const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}

/// Whether a record's target is this key: `/keys/NAME`, in any case of letters, as names are compared.
pub(super) fn about(record: &Record, key: &Name) -> bool {
    let target = record.target.as_deref().unwrap_or_default();
    let rest = target.strip_prefix("/keys/").or_else(|| target.strip_prefix("keys/"));
    let name = rest.and_then(|rest| rest.split('/').next());
    name.is_some_and(|name| name.eq_ignore_ascii_case(key.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str) -> Record {
        let whole = format!(r#"{{"index":7,"time":5000,"action":"keys/sign","outcome":"done"{text}}}"#);
        serde_json::from_str(&whole).unwrap()
    }

    fn fits(wanted: Wanted) -> bool {
        let more = r#","target":"/keys/Pay","subject":"s","application":"a","operation":"0a","code":0"#;
        wanted.fits(&record(more))
    }

    #[test]
    fn a_record_has_to_fit_everything_that_is_given() {
        let text = |t: &str| Some(t.to_owned());
        let key = |t: &str| Some(Name::parse(t).unwrap());
        assert!(fits(Wanted::default()));
        assert!(fits(Wanted { since: Some(5), until: Some(6), action: text("keys/sign"), ..Wanted::default() }));
        assert!(fits(Wanted { action: text("keys/"), key: key("pay"), caller: text("s"), ..Wanted::default() }));
        assert!(fits(Wanted { caller: text("a"), operation: text("0a"), ..Wanted::default() }));
        for other in [
            Wanted { since: Some(6), ..Wanted::default() },
            Wanted { until: Some(5), ..Wanted::default() },
            Wanted { action: text("keys"), ..Wanted::default() },
            Wanted { action: text("keys/signs"), ..Wanted::default() },
            Wanted { outcome: Some(Outcome::Denied), ..Wanted::default() },
            Wanted { caller: text("S"), ..Wanted::default() },
            Wanted { key: key("pa"), ..Wanted::default() },
            Wanted { operation: text("0b"), caller: text("s"), ..Wanted::default() },
        ] {
            let shown = format!("{other:?}");
            assert!(!fits(other), "{shown}");
        }
    }

    #[test]
    fn looking_ends_only_where_nothing_can_fit_any_more() {
        let wanted = Wanted { since: Some(10_000), ..Wanted::default() };
        assert!(wanted.all_older(&[record("")]));
        assert!(!wanted.all_older(&[]));
        assert!(!Wanted { since: Some(3_605), ..Wanted::default() }.all_older(&[record("")]));
        assert!(!Wanted::default().all_older(&[record("")]));
    }
}
