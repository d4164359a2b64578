//! JSON shapes, byte by byte, against files. `GOLDEN=write` writes them anew, for a human to read the difference.

use hyper::HeaderMap;
use keystead_access::{AssignmentView, Definition, NotChanged, Permission, Role};
use keystead_api_azure::{errors, format, openid};
use keystead_api_table::{Body, Context, NoRoute, TokenFault, fuzz::with_parts};
use keystead_engine::{
    AssignmentPage, BadBackup, BadRelease, DeletedKeyView, IssuedToken, IssuerInfo, KeyResult, KeyView, Page,
    PageToken, Recovery, Refusal, ReleasePolicy, RotateWhen, RotationPolicy, RotationPolicyView, Setting, TurnedAway,
};
use keystead_identity::NotAuthenticated;
use keystead_model::{DataAction, Guid, KeySpec, Name, PublicKey, Target, Time, VaultKind, Version};
use std::path::Path;

const TARGET: &str = "/keys/Pay/versions?api-version=7.4&maxresults=2&resource=https%3A%2F%2Flocalhost%3A8443";

fn context<T>(then: impl FnOnce(&Context<'_>) -> T) -> T {
    let authority = "dev.localhost:8443".parse().unwrap();
    with_parts(TARGET, "/keys/{name}/versions", HeaderMap::new(), b"", |parts| {
        then(&Context { parts: *parts, authority: &authority, tenant: "adfs", vault: "dev", kind: VaultKind::Vault })
    })
    .unwrap()
}

fn check(name: &str, body: &Body) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let made = [body.bytes().as_ref(), b"\n"].concat();
    if std::env::var("GOLDEN").as_deref() == Ok("write") {
        std::fs::write(&file, &made).unwrap();
    }
    let kept = std::fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    assert_eq!(String::from_utf8_lossy(&made), String::from_utf8_lossy(&kept), "{name}");
}

fn name() -> Name {
    Name::parse("Pay").unwrap()
}

fn view(spec: KeySpec) -> KeyView {
    let public = match spec {
        KeySpec::Oct256 | KeySpec::Oct128 => PublicKey::Symmetric,
        KeySpec::Rsa2048 => PublicKey::Rsa { n: vec![0xfb; 256], e: vec![1, 0, 1] },
        other => {
            let curve = other.curve().unwrap();
            PublicKey::Ec { curve, x: vec![0; curve.field_len()], y: vec![0xff; curve.field_len()] }
        }
    };
    KeyView {
        name: name(),
        version: Version::from_bytes([0x1a; 16]),
        spec,
        public,
        ops: spec.usual().to_vec(),
        enabled: true,
        not_before: None,
        expires: None,
        created: Time(1_700_000_000_999),
        updated: Time(1_700_000_001_000),
        tags: std::collections::BTreeMap::new(),
        exportable: false,
        release: None,
        recovery: Recovery { days: 90, purge_protection: false },
    }
}

fn dated() -> KeyView {
    KeyView {
        enabled: false,
        not_before: Some(Time::from_secs(1_600_000_000)),
        expires: Some(Time::from_secs(1_900_000_000)),
        tags: [("team".to_owned(), "pay \"1\"".to_owned())].into(),
        recovery: Recovery { days: 7, purge_protection: false },
        ..view(KeySpec::EcP256)
    }
}

fn deleted() -> DeletedKeyView {
    DeletedKeyView { key: dated(), deleted: Time::from_secs(1_700_000_002), purge_at: Time::from_secs(1_700_604_802) }
}

#[test]
fn keys() {
    context(|c| {
        check("key-ec.json", &format::key::key(view(KeySpec::EcP256), c));
        check("key-ec-p521.json", &format::key::key(view(KeySpec::EcP521), c));
        check("key-ec-p256k.json", &format::key::key(view(KeySpec::EcP256K), c));
        check("key-oct128.json", &format::key::key(view(KeySpec::Oct128), c));
        check("key-rsa.json", &format::key::key(view(KeySpec::Rsa2048), c));
        check("key-oct.json", &format::key::key(view(KeySpec::Oct256), c));
        check("key-dated.json", &format::key::key(dated(), c));
        check("deleted-key.json", &format::key::deleted(deleted(), c));
    });
}

#[test]
fn exportable_and_protected_keys() {
    let policy = ReleasePolicy {
        content_type: "application/json; charset=utf-8".to_owned(),
        data: b"{\"version\":\"1.0.0\"}".to_vec(),
        immutable: true,
    };
    let recovery = Recovery { days: 90, purge_protection: true };
    let key = KeyView { exportable: true, release: Some(policy), recovery, ..view(KeySpec::EcP256) };
    context(|c| check("key-exportable.json", &format::key::key(key, c)));
}

#[test]
fn rotation_policies_and_values() {
    let span = |text: &str| text.parse().unwrap();
    let policy = RotationPolicy {
        rotate: Some(RotateWhen::AfterCreate(span("P2M"))),
        notify: Some(span("P30D")),
        expiry: Some(span("P1Y10D")),
    };
    let time = |secs| Some(Time::from_secs(secs));
    let full = RotationPolicyView { name: name(), policy, created: time(1_700_000_000), updated: time(1_700_000_001) };
    let unset = RotationPolicyView { name: name(), policy: RotationPolicy::unset(), created: None, updated: None };
    context(|c| {
        check("rotation-policy.json", &format::rotation::policy(full, c));
        check("rotation-policy-unset.json", &format::rotation::policy(unset, c));
        check("value.json", &format::value(vec![0xfb, 0xff], c));
    });
}

#[test]
fn lists() {
    context(|c| {
        let next = Some(PageToken::Key([0xfe; 32]));
        check("keys.json", &format::list::keys(Page { items: vec![view(KeySpec::Oct256), dated()], next }, c));
        let next = Some(PageToken::Version(Version::from_bytes([0x1a; 16])));
        check("versions.json", &format::list::versions(Page { items: vec![view(KeySpec::EcP256)], next }, c));
        check("deleted-keys.json", &format::list::deleted(Page { items: vec![deleted()], next: None }, c));
        check("empty.json", &format::list::keys(Page { items: Vec::new(), next: None }, c));
    });
}

#[test]
fn results() {
    let result = |iv, tag, aad| KeyResult {
        name: name(),
        version: Version::from_bytes([0x1a; 16]),
        value: vec![0xfb, 0xff].into(),
        iv,
        tag,
        aad,
    };
    context(|c| {
        check("result.json", &format::operation::result(result(None, None, None), c));
        let whole = result(Some(vec![1; 12]), Some([2; 16]), Some(b"aad".to_vec()));
        check("result-gcm.json", &format::operation::result(whole, c));
    });
}

#[test]
fn tokens_and_discovery() {
    let token =
        || IssuedToken { jwt: "a.b.c".to_owned().into(), expires: Time::from_secs(1_700_003_600), lifetime_secs: 3600 };
    let iss = "https://dev.localhost:8443/0123".to_owned();
    let issuer = IssuerInfo { iss, kid: "k1".to_owned(), x: [1; 32], y: [2; 32] };
    context(|c| {
        check("token.json", &format::token::oauth(token(), c));
        check("identity-token.json", &format::token::managed_identity(token(), c));
        check("discovery.json", &openid::discovery_body(&issuer, c));
        check("issuer-keys.json", &openid::keys_body(&issuer, c));
        let wrong = TokenFault::NotAuthenticated(&NotAuthenticated::WrongSecret);
        check("token-error.json", &format::token::fault(&wrong, c).body);
    });
}

#[test]
fn roles_assignments_and_settings() {
    let id = |n| Guid::from_bytes([n; 16]);
    let role = Definition {
        id: id(0xb1),
        name: "Signer".to_owned(),
        description: String::new(),
        custom: true,
        permissions: vec![Permission {
            data_actions: vec![DataAction::HsmKeysSign],
            not_data_actions: vec![DataAction::KeysVerify],
        }],
    };
    let by_name = |name: &str| Role::all().find(|r| r.name == name).unwrap();
    let held = |scope| AssignmentView { id: id(0xa1), scope, role: id(0xb1), principal: id(0xc1) };
    context(|c| {
        check("role-built-in.json", &format::role::definition(by_name("Key Vault Crypto Service Encryption User"), c));
        check("role-definitions.json", &format::role::definitions(vec![role], c));
        check("role-assignment.json", &format::role::assignment(held(Target::Vault), c));
        let items = vec![held(Target::Keys), held(Target::Key(name()))];
        check("role-assignments.json", &format::role::assignments(AssignmentPage { items, next: Some(id(0xa1)) }, c));
        let setting = Setting { name: "AllowKeyManagementOperationsThroughARM", value: false };
        check("settings.json", &format::role::settings(vec![setting], c));
        check("setting.json", &format::role::setting(setting, c));
    });
}

#[test]
fn errors() {
    let op = "sign";
    let refusals = [
        ("error-key-not-found.json", Refusal::KeyNotFound { name: name(), version: None }),
        ("error-deleted-key-not-found.json", Refusal::DeletedKeyNotFound { name: name() }),
        ("error-name-reserved.json", Refusal::NameReserved { name: name() }),
        ("error-disabled.json", Refusal::KeyDisabled { op }),
        ("error-not-permitted.json", Refusal::OperationNotPermitted { op }),
        ("error-wrong-algorithm.json", wrong_algorithm("RS256", KeySpec::EcP256)),
        ("error-wrong-curve.json", wrong_algorithm("ES384", KeySpec::EcP256)),
        ("error-wrong-size.json", wrong_algorithm("A128KW", KeySpec::Oct256)),
        ("error-busy.json", Refusal::Busy),
        ("error-role-built-in.json", Refusal::Role(NotChanged::BuiltIn)),
        ("error-role-beyond.json", Refusal::Role(NotChanged::Beyond { data_action: DataAction::HsmKeysSign })),
        ("error-role-not-found.json", Refusal::Role(NotChanged::RoleNotFound { id: Guid::from_bytes([0xb1; 16]) })),
        (
            "error-assignment-not-found.json",
            Refusal::Role(NotChanged::AssignmentNotFound { id: Guid::from_bytes([0xa1; 16]) }),
        ),
        ("error-last-administrator.json", Refusal::Role(NotChanged::LastAdministrator)),
        ("error-setting-not-found.json", Refusal::SettingNotFound { name: "No".to_owned() }),
        ("error-name-taken.json", Refusal::NameTaken { name: name() }),
        ("error-purge-protected.json", Refusal::PurgeProtected),
        ("error-not-a-backup.json", Refusal::BadBackup(BadBackup::NotABackup)),
        ("error-backup-foreign.json", Refusal::BadBackup(BadBackup::Foreign)),
        ("error-policy-needed.json", Refusal::BadRelease(BadRelease::PolicyNeeded)),
        ("error-policy-immutable.json", Refusal::BadRelease(BadRelease::Immutable)),
    ];
    context(|c| {
        for (file, refusal) in &refusals {
            check(file, &errors::refusal(refusal, c).body);
        }
        check("error-unauthorized.json", &errors::not_authenticated(&NotAuthenticated::Missing, c).body);
        check("error-sealed.json", &errors::turned_away(&TurnedAway::Sealed, c).body);
        check("error-operation.json", &errors::no_route(&NoRoute::Path, c).body);
    });
}

fn wrong_algorithm(alg: &'static str, spec: KeySpec) -> Refusal {
    let version = Version::from_bytes([0x1a; 16]);
    Refusal::WrongAlgorithm { alg, spec, name: name(), version }
}
