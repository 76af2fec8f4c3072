"""What an operator types. In one process, on a home whose servers run already, as beside ``khizana run``."""

import datetime as dt
import io
import json
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from khizana.cli import VERBS, main
from khizana.embedded.postgres import EmbeddedPostgres
from khizana.embedded.s3 import EmbeddedS3
from kit.jose import SigningKey
from tests.certified import certified
from tests.unit.locker.signatures.signature_pki import pki
from tests.unit.locker.trust.trust_list_maker import Service, operator, trust_list


class Said(NamedTuple):
    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Said]


@pytest.fixture(scope="module")
def home_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="khizana-test-"))
    postgres, s3 = EmbeddedPostgres.start(folder, durable=False), EmbeddedS3.start(folder)
    yield folder
    postgres.stop()
    s3.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def khizana(home_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("KHIZANA_HOME", str(home_folder))
    for app in ("OWNER", "IDP", "LOCKER"):
        monkeypatch.delenv(f"KHIZANA_{app}_DATABASE_URL", raising=False)

    def run(*words: str, stdin: str = "") -> Said:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        capsys.readouterr()
        code = main(list(words))
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return run


def citizen(number: int, **changes: Any) -> dict[str, Any]:
    claims = {
        "given_name#ar": "سلمى",
        "family_name#ar": "الإدريسي",
        "given_name#fr": "Salma",
        "family_name#fr": "El Idrissi",
        "birthdate": "1990-02-03",
    }
    return {"claims": claims, "external_reference": f"reference-{number}", **changes}


def test_no_word_and_help_show_every_verb(khizana: Run) -> None:
    said = khizana("--help")
    assert said.code == 0
    assert all(re.search(rf"^  {verb} ", said.out, re.MULTILINE) for verb in VERBS)
    assert khizana().code == 2


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_explains_itself(khizana: Run, verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([verb, "--help"])
    assert left.value.code == 0
    assert f"khizana {verb}" in capsys.readouterr().out


def test_an_unknown_verb_is_refused_in_one_line(khizana: Run) -> None:
    said = khizana("explode")
    assert said.code == 2
    assert said.err.startswith("error: unknown-command: ")
    assert said.err.count("\n") == 1


def test_a_citizen_is_enrolled_from_one_json_and_shown(khizana: Run, tmp_path: Path) -> None:
    file = tmp_path / "citizen.json"
    file.write_text(json.dumps(citizen(1)))
    enrolled = khizana("citizen", "enrol", "--file", str(file))
    assert enrolled.code == 0
    assert re.fullmatch(r"[2-9][0-9]{9}", enrolled.json()["uid"])
    assert enrolled.json()["activation_code"]
    shown = khizana("citizen", "show", enrolled.json()["uid"], "--reason", "asked at the desk").json()
    assert shown["claims"]["given_name#fr"] == "Salma"
    assert shown["state"] == "registered"


def test_a_bulk_file_answers_each_line_in_order_and_one_bad_line_stops_no_other(khizana: Run) -> None:
    lines = [json.dumps(citizen(number)) for number in range(10, 16)]
    lines[2] = '{"claims": {}}'
    lines[4] = "this is not JSON"
    said = khizana("citizen", "enrol", "--file", "-", "--ndjson", stdin="\n".join(lines))
    assert said.code == 1
    answers = [json.loads(line) for line in said.out.splitlines()]
    assert [answer["line"] for answer in answers] == [1, 2, 3, 4, 5, 6]
    assert [answer.get("error") for answer in answers] == [None, None, "invalid", None, "malformed", None]
    assert "4 enrolled, 2 refused" in said.err


def test_the_same_bulk_file_again_enrols_nobody_twice(khizana: Run, tmp_path: Path) -> None:
    file = tmp_path / "citizens.ndjson"
    file.write_text("\n".join(json.dumps(citizen(number)) for number in range(20, 24)))
    first = [json.loads(line) for line in khizana("citizen", "enrol", "--file", str(file)).out.splitlines()]
    again = [json.loads(line) for line in khizana("citizen", "enrol", "--file", str(file)).out.splitlines()]
    assert [one["uid"] for one in again] == [one["uid"] for one in first]
    assert [one["created"] for one in again] == [False] * 4


def test_a_refusal_is_one_line_with_its_code_and_exit_code_2(khizana: Run) -> None:
    said = khizana("citizen", "show", "0000000000", "--reason", "asked at the desk")
    assert (said.code, said.out) == (2, "")
    assert re.fullmatch(r"error: unknown-citizen: [^\n]+\n", said.err)


@pytest.mark.parametrize(
    ("words", "stdin", "code"),
    [
        (("citizen", "enrol", "--file", "/nonexistent/x.json"), "", "unreadable"),
        (("citizen", "enrol", "--file", "-"), "{", "malformed"),
        (("client", "register", "--file", "-"), '{"client_name": "x", "surprise": 1}', "invalid"),
        (("administration", "register", "--file", "-"), '{"administration": "NOT ONE"}', "invalid"),
        (("administration", "show", "ma.gov.nobody"), "", "unknown-administration"),
        (("client", "show", "nobody"), "", "unknown-client"),
    ],
)
def test_bad_input_gets_a_clear_answer(khizana: Run, words: tuple[str, ...], stdin: str, code: str) -> None:
    said = khizana(*words, stdin=stdin)
    assert said.code == 2
    assert said.err.startswith(f"error: {code}: ")
    assert "Traceback" not in said.err


def refused(said: Said) -> str:
    """The code in its one line."""
    assert (said.code, said.out) == (2, "")
    found = re.fullmatch(r"error: ([a-z-]+): [^\n]+\n", said.err)
    assert found, said.err
    return found[1]


def test_a_person_is_enrolled_once_and_only_with_what_can_be(khizana: Run) -> None:
    def enrol(number: int, **changes: Any) -> Said:
        return khizana("citizen", "enrol", "--file", "-", stdin=json.dumps(citizen(number, **changes)))

    first = enrol(30, cnie="QQ30030")
    assert first.code == 0
    assert refused(enrol(31, cnie="qq30030")) == "already-enrolled"
    assert refused(enrol(30, cnie="QQ30031")) == "reference-in-use"
    assert refused(enrol(32, claims={**citizen(32)["claims"], "birthdate": "3000-01-01"})) == "not-enrollable"
    # None of them left anything behind: what was refused is free.
    assert enrol(31, cnie="QQ30031").code == 0
    uid = first.json()["uid"]
    assert khizana("citizen", "state", uid, "suspend", "--reason", "asked by a court").code == 0
    assert refused(khizana("citizen", "state", uid, "suspend", "--reason", "asked by a court")) == "state-refused"
    assert khizana("citizen", "show", uid, "--reason", "asked at the desk").json()["state"] == "suspended"
    mandate = {"represented": uid, "actor": uid, "kind": "proxy", "legal_reference": "2026/118"}
    said = khizana("mandate", "record", "--file", "-", stdin=json.dumps({**mandate, "valid_until": "2030-01-01"}))
    assert refused(said) == "mandate-refused"
    nobody = "00000000-0000-0000-0000-000000000000"
    assert refused(khizana("mandate", "end", nobody, "--reason", "it is over")) == "unknown-mandate"
    assert khizana("mandate", "list", uid).json() == []


def test_a_provider_that_cannot_be_asked_is_not_registered(khizana: Run) -> None:
    names = dict.fromkeys(("ar", "fr", "zgh", "en"), "Other")
    wanted = {"slug": "other", "issuer": "https://other.example", "client_id": "c", "scope": "profile"}
    wanted |= {"display_name": names, "client_secret": "x" * 32, "token_endpoint_auth_method": "client_secret_post"}
    assert refused(khizana("upstream", "register", "--file", "-", stdin=json.dumps(wanted))) == "upstream-refused"
    assert khizana("upstream", "list").json()["upstreams"] == []


def test_what_an_officer_says_of_the_locker_and_cannot_be_is_refused_and_nothing_is_registered(
    khizana: Run, tmp_path: Path
) -> None:
    names = dict.fromkeys(("ar", "fr", "zgh", "en"), "A name")

    def register(what: str, **members: Any) -> Said:
        return khizana(what, "register", "--file", "-", stdin=json.dumps({"names": names, **members}))

    unfit = register("type", type="BROKEN", category="civil-status", fields={"type": "string"})
    assert refused(unfit) == "schema-unfit"
    first, second = "ma.gov.first", "ma.gov.second"
    assert register("administration", administration=first, clients=["speaks"]).code == 0
    assert refused(register("administration", administration=second, clients=["speaks"])) == "client-taken"
    assert refused(register("administration", administration=second, types=["NOSUCHTYPE"])) == "type-unregistered"
    certificates = ["no certificate"]
    unfit = register("administration", administration=second, seal_certificates=certificates)
    assert refused(unfit) == "certificate-unfit"
    assert refused(khizana("administration", "show", second)) == "unknown-administration"
    assert refused(khizana("hold", "release", "0" * 25, "--reference", "2026/118")) == "hold-unknown"
    before = khizana("trust", "show").json()
    assert refused(khizana("trust", "withdraw", "00" * 32)) == "anchor-unknown"
    assert refused(khizana("trust", "add", "--file", "-", stdin='{"crls": ["eA=="]}')) == "material-unfit"
    signer = tmp_path / "signer.der"
    signer.write_bytes(operator().der)
    followed = khizana("trust", "follow", "http://lists.example/tl.xml", "--signer", str(signer))
    assert refused(followed) == "trust-list-source-unfit"
    assert khizana("trust", "show").json() == before


def test_a_client_is_registered_listed_disabled_and_never_shown_with_its_secrets_digest(khizana: Run) -> None:
    metadata = {
        "client_id": "probe-client",
        "client_name": "Probe",
        "profile": "basic",
        "sector": "probe.example",
        "redirect_uris": ["https://probe.example/callback"],
        "scope": "openid profile",
    }
    registered = khizana("client", "register", "--file", "-", stdin=json.dumps(metadata))
    assert registered.code == 0
    assert registered.json()["client_secret"]
    assert registered.json()["id_token_signed_response_alg"] == "RS256"  # what the standard says of one left out
    twice = khizana("client", "register", "--file", "-", stdin=json.dumps(metadata))
    assert twice.err.startswith("error: client-exists: ")
    assert "secret" not in khizana("client", "show", "probe-client").out.replace("client_secret_basic", "")
    assert "secret_sha256" not in khizana("client", "list").out
    assert khizana("client", "disable", "probe-client").json()["state"] == "disabled"


def test_a_client_of_an_algorithm_for_which_there_is_no_key_is_not_registered(
    khizana: Run, home_folder: Path, tmp_path: Path
) -> None:
    khizana("keys", "make")
    for file in (home_folder / "keys" / "idp").glob("EdDSA-*.pem"):
        shutil.move(file, tmp_path)
    metadata = {
        "client_id": "probe-eddsa",
        "client_name": "Probe",
        "profile": "basic",
        "sector": "probe.example",
        "redirect_uris": ["https://probe.example/callback"],
        "userinfo_signed_response_alg": "EdDSA",
    }
    refused = khizana("client", "register", "--file", "-", stdin=json.dumps(metadata))
    for file in tmp_path.glob("*.pem"):
        shutil.move(file, home_folder / "keys" / "idp")
    assert refused.err.startswith("error: invalid_client_metadata: ")
    assert khizana("client", "register", "--file", "-", stdin=json.dumps(metadata)).code == 0


def test_a_basic_client_of_the_back_channel_needs_to_name_no_algorithm(khizana: Run) -> None:
    metadata = {
        "client_name": "Probe",
        "profile": "basic",
        "sector": "probe.example",
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [SigningKey.generate("ES256").public_jwk]},
        "grant_types": ["urn:openid:params:grant-type:ciba"],
        "backchannel_token_delivery_mode": "poll",
        "dpop_bound_access_tokens": True,
        "scope": "openid",
    }
    registered = khizana("client", "register", "--file", "-", stdin=json.dumps(metadata))
    assert registered.json()["id_token_signed_response_alg"] == "ES256"


def test_the_locker_is_registered_with_what_it_says_of_itself(khizana: Run) -> None:
    resource = ("--name", "Locker", "--scope", "documents:read", "--scope", "documents:deposit")
    said = khizana("client", "for-locker", "--legal-ground", "a text")
    assert said.code == 0
    assert khizana("resource", "register", said.json()["resource"], *resource).code == 0
    registered = khizana("client", "register", "--file", "-", stdin=said.out)
    assert (registered.code, registered.err) == (0, "")
    assert registered.json()["token_endpoint_auth_method"] == "private_key_jwt"


def test_migrations_are_applied_and_checked(khizana: Run) -> None:
    assert khizana("migrate").json() == {"applied": {"idp": [], "locker": []}}
    assert khizana("migrate", "--check").code == 0


def test_keys_are_made_once_and_the_next_one_signs_from_tomorrow(khizana: Run) -> None:
    khizana("keys", "make")
    before = khizana("keys", "list").json()["keys"]
    khizana("keys", "make")
    assert khizana("keys", "list").json()["keys"] == before
    assert {key["alg"] for key in before} == {"ES256", "RS256", "PS256", "EdDSA"}
    assert {key["state"] for key in before} == {"signs"}
    khizana("keys", "rotate", "--alg", "ES256")
    after = khizana("keys", "list").json()["keys"]
    fresh = [key for key in after if key not in before]
    assert len(fresh) == 1
    assert fresh[0]["signs_from"] > max(key["signs_from"] for key in before)
    assert fresh[0]["state"] == "announced"
    assert khizana("keys", "rotate", "--alg", "ES256").code != 0


def test_a_stolen_key_is_replaced_and_then_withdrawn(khizana: Run) -> None:
    khizana("keys", "make")
    stolen = next(key for key in khizana("keys", "list").json()["keys"] if key["alg"] == "PS256")
    assert khizana("keys", "rotate", "--alg", "PS256", "--at-once").code == 0
    assert khizana("keys", "withdraw", stolen["kid"]).code == 0
    left = [key for key in khizana("keys", "list").json()["keys"] if key["alg"] == "PS256"]
    assert [key["state"] for key in left] == ["signs"]
    assert left[0]["kid"] != stolen["kid"]
    assert khizana("keys", "withdraw", stolen["kid"]).code != 0


def test_the_lockers_keys_are_rotated_by_the_same_words(khizana: Run, home_folder: Path) -> None:
    folder = home_folder / "keys" / "locker"
    made = khizana("keys", "make", "--of", "locker")
    assert (made.code, khizana("keys", "make", "--of", "locker").json()["keys"]) == (0, [])
    [first] = khizana("keys", "list", "--of", "locker").json()["keys"]
    assert (first["alg"], first["state"], first["signs_from"]) == ("ES256", "signs", None)
    assert khizana("keys", "withdraw", first["kid"], "--of", "locker").err.startswith("error: rotation-under-way: ")
    rotated = khizana("keys", "rotate", "--of", "locker")
    assert (rotated.code, rotated.json()["action"]) == (0, "keys.rotated")
    assert "copy the keys folder" in rotated.err
    again = khizana("keys", "rotate", "--of", "locker")
    assert (again.code, again.err.split(": ")[1]) == (2, "rotation-under-way")
    assert khizana("keys", "rotate", "--of", "locker", "--at-once").code == 0
    states = {key["kid"]: key["state"] for key in khizana("keys", "list", "--of", "locker").json()["keys"]}
    assert sorted(states.values()) == ["announced", "signs", "verifies"]
    assert states[first["kid"]] == "verifies"
    assert khizana("keys", "retire", "--of", "locker").json()["keys"] == []
    for wrong in ("2999-01-01T00:00:00Z", "2026-01-01T00:00:00", "yesterday"):
        with pytest.raises(SystemExit) as left:
            khizana("keys", "withdraw", first["kid"], "--of", "locker", "--since", wrong)
        assert left.value.code == 2
    withdrawn = khizana("keys", "withdraw", first["kid"], "--of", "locker", "--since", "2026-01-01T00:00:00Z")
    assert withdrawn.code == 0, withdrawn.err
    shown = {key["kid"]: key for key in khizana("keys", "list", "--of", "locker").json()["keys"]}
    assert shown[first["kid"]]["state"] == "distrusted"
    assert shown[first["kid"]]["distrusted_from"] == "2026-01-01T00:00:00Z"
    assert khizana("keys", "withdraw", "nobody", "--of", "locker").err.startswith("error: key-unknown: ")
    assert khizana("keys", "rotate", "--of", "locker", "--alg", "RS256").err.startswith("error: alg: ")
    assert khizana("keys", "withdraw", "x", "--since", "2026-01-01T00:00:00Z").err.startswith("error: of-the-locker: ")
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    assert b"PRIVATE" not in b"".join(file.read_bytes() for file in folder.glob("signing-ES256.*"))


def _activates_at(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])


def test_the_doctor_sees_a_stolen_key_of_the_locker_that_is_still_there(khizana: Run, home_folder: Path) -> None:
    folder = home_folder / "keys" / "locker"
    khizana("keys", "make", "--of", "locker")
    assert khizana("keys", "rotate", "--of", "locker", "--at-once").code == 0
    # Not one that is announced for tomorrow. Where others were made in this second, the newest signs in the next one.
    soon = [path for path in sorted(folder.glob("signing-ES256-*.pem")) if _activates_at(path) < time.time() + 5]
    key, newest = soon[0], soon[-1]
    time.sleep(max(0.0, _activates_at(newest) - time.time()))
    line = "signing keys of the locker: "
    assert re.search(rf"^ok +{line}\S{{43}} signs, for 0 days; \d known$", khizana("doctor").out, re.MULTILINE)
    mark = key.with_suffix(".distrusted")
    mark.write_text("1")
    mark.chmod(0o600)
    assert re.search(rf"^BAD +{line}1 stolen ones.*\n +→ khizana keys retire --of locker", khizana("doctor").out, re.M)
    assert khizana("keys", "retire", "--of", "locker").json()["keys"] == [key.stem]
    assert "1 stolen ones" not in khizana("doctor").out


def test_keys_of_verification_alone_need_no_database(
    khizana: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KHIZANA_MODE", "embedded")
    monkeypatch.setenv("KHIZANA_VERIFICATION_URL", "http://localhost:1")
    monkeypatch.setenv("KHIZANA_VERIFICATION_TRUST_FOLDER", str(tmp_path))
    monkeypatch.setenv("KHIZANA_VERIFICATION_KEYS_FOLDER", str(tmp_path / "keys"))
    for words in (["make"], ["rotate"], ["rotate", "--at-once"]):
        assert khizana("keys", *words, "--of", "verification").code == 0
    states = [key["state"] for key in khizana("keys", "list", "--of", "verification").json()["keys"]]
    assert sorted(states) == ["announced", "signs", "verifies"]


def test_the_doctor_finds_nothing_and_then_what_is_wrong(khizana: Run, home_folder: Path) -> None:
    khizana("keys", "make")
    khizana("sweep")
    SigningKey.load_or_create(home_folder / "keys" / "locker" / "client-ES256.pem", "ES256")
    healthy = khizana("doctor")
    assert (healthy.code, healthy.out.count("BAD")) == (0, 0), healthy.out
    master = home_folder / "keys" / "locker" / "master.key"
    master.chmod(0o644)
    sick = khizana("doctor")
    master.chmod(0o600)
    assert sick.code == 1
    assert re.search(r"^BAD +master key: .*\n +→ \S", sick.out, re.MULTILINE)


def test_the_doctor_says_why_the_object_store_refuses_us(khizana: Run, home_folder: Path) -> None:
    kept = home_folder / "s3.json"
    right = kept.read_text()
    kept.write_text(json.dumps({**json.loads(right), "secret_key": "0" * 40}))
    sick = khizana("doctor")
    kept.write_text(right)
    assert sick.code == 1
    assert re.search(r"^BAD +object store: SignatureDoesNotMatch at http\S+, bucket \w+\n +→ \S", sick.out, re.M)


def test_the_doctor_sees_keys_that_nobody_rotates(khizana: Run, home_folder: Path) -> None:
    khizana("keys", "make")
    keys = home_folder / "keys" / "idp"
    newest = max(keys.glob("EdDSA-*.pem"), key=lambda path: int(path.stem.partition("-")[2]))
    kept = {path: path.read_bytes() for path in keys.glob("EdDSA-*.pem")}
    for path in kept:
        path.unlink()
    old = keys / "EdDSA-1000000000.pem"
    old.write_bytes(kept[newest])
    old.chmod(0o600)
    sick = khizana("doctor")
    old.unlink()
    for path, pem in kept.items():
        path.write_bytes(pem)
        path.chmod(0o600)
    assert sick.code == 1
    assert re.search(r"^BAD +rotation of the keys: overdue for EdDSA\n +→ \S", sick.out, re.MULTILINE)


def test_the_doctor_answers_programs(khizana: Run) -> None:
    khizana("keys", "make")
    findings = khizana("doctor", "--json").json()["findings"]
    assert {"clock", "object store", "database, role idp"} <= {finding["what"] for finding in findings}


def test_a_setting_that_nobody_knows_is_refused_by_its_name(khizana: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KHIZANA_IDP_PASWORD_THREADS", "3")
    said = khizana("citizen", "show", "0000000000", "--reason", "asked at the desk")
    assert said.code == 2
    assert said.err.startswith("error: setting: KHIZANA_IDP_PASWORD_THREADS: ")


def test_a_default_secret_in_production_stops_the_server_with_the_settings_name(
    khizana: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {
        "KHIZANA_MODE": "production",
        "KHIZANA_ISSUER": "https://id.example/idp",
        "KHIZANA_IDP_DATABASE_URL": "postgresql://nowhere/",
        "KHIZANA_IDP_SECRET": "0" * 64,
        "KHIZANA_IDP_KEYS_FOLDER": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    said = khizana("serve", "idp")
    assert said.code == 2
    assert said.err.startswith("error: setting: KHIZANA_IDP_SECRET: ")


def test_a_fault_is_one_line_and_its_trace_is_kept_for_whoever_mends_it(
    khizana: Run, home_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from khizana.commands import migrate

    def fail(_: object) -> int:
        raise RuntimeError("something that nobody expected")

    monkeypatch.setattr(migrate, "run", fail)
    said = khizana("migrate")
    assert said.code == 70
    assert "Traceback" not in said.err
    kept = home_folder / "faults.log"
    assert "something that nobody expected" in kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0


def test_a_sweep_and_a_reconciliation_answer_in_json(khizana: Run) -> None:
    assert khizana("sweep").json()["orphans"] == 0
    assert khizana("sweep", "--dry-run").json()["dry_run"] is True
    assert khizana("reconcile").json()["missing"] == []


def test_an_invitation_and_a_rotated_secret_are_told_once(khizana: Run) -> None:
    invited = khizana("client", "invite", "--profile", "basic", "--scope", "openid profile", "--uses", "3")
    assert invited.code == 0, invited.err
    assert len(invited.json()["initial_access_token"]) == 43
    assert (invited.json()["uses"], invited.json()["expires_in"]) == (3, 7 * 86_400)
    assert khizana("client", "invite", "--scope", "openid uid").code == 2
    assert khizana("client", "withdraw-invitation", invited.json()["invitation_id"]).code == 0
    assert khizana("client", "withdraw-invitation", invited.json()["invitation_id"]).code == 2
    registered = khizana(
        "client",
        "register",
        "--file",
        "-",
        stdin=json.dumps(
            {
                "client_id": "rotates",
                "client_name": "Rotates",
                "profile": "basic",
                "sector": "test",
                "redirect_uris": ["https://rp.test/callback"],
            }
        ),
    )
    rotated = khizana("client", "rotate-secret", "rotates", "--overlap", "30m")
    assert rotated.code == 0, rotated.err
    assert rotated.json()["client_secret"] != registered.json()["client_secret"]
    assert rotated.json()["previous_expires_in"] == 1_800
    assert "secret" not in khizana("client", "show", "rotates").out.replace("client_secret_basic", "")
    assert khizana("client", "rotate-secret", "nobody").code == 2


def test_an_officer_is_added_signs_and_is_disabled(khizana: Run, tmp_path: Path) -> None:
    key = tmp_path / "officer.pem"
    public = khizana("officer", "make-key", str(key))
    assert public.json()["kty"] == "EC"
    assert "d" not in public.json()
    added = khizana("officer", "add", "amal", "--jwk", "-", "--ability", "clients", stdin=public.out)
    assert (added.code, added.json()) == (0, {"officer_id": "amal", "abilities": ["clients"]})
    again = khizana("officer", "add", "amal", "--jwk", "-", "--ability", "citizens", stdin=public.out)
    assert refused(again) == "officer-exists"
    assert khizana("officer", "list").json()["officers"][0]["abilities"] == ["clients"]
    private = json.dumps({**public.json(), "d": "AAAA"})
    assert khizana("officer", "add", "other", "--jwk", "-", "--ability", "clients", stdin=private).code == 2
    signed = khizana(
        "officer",
        "sign",
        "GET",
        "/admin/clients",
        "--issuer",
        "https://id.test/idp",
        "--officer",
        "amal",
        "--key",
        str(key),
    )
    assert signed.json()["authorization"].startswith("Officer ey")
    assert khizana("officer", "disable", "amal").json() == {"officer_id": "amal", "state": "disabled"}
    assert [line["state"] for line in khizana("officer", "list").json()["officers"]] == ["disabled"]


def test_a_trust_list_is_followed_synced_and_shown(khizana: Run, tmp_path: Path) -> None:
    by = operator()
    signer, file = tmp_path / "operator.der", tmp_path / "tl.xml"
    signer.write_bytes(by.der)
    old = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    dates = {"issued_at": old - dt.timedelta(days=1), "next_update": old}
    file.write_bytes(trust_list(by, Service(pki().issuing), **dates))
    followed = khizana("trust", "follow", str(file), "--signer", str(signer))
    assert (followed.code, followed.json()[0]["state"]) == (0, "never-read")
    synced = khizana("trust", "sync")
    assert (synced.code, synced.json()[0]["sequence"]) == (1, 1)
    assert f"new       {file} edition 1" in synced.err
    assert "it is still used" in synced.err
    (shown,) = khizana("trust", "show").json()["lists"]
    assert (shown["state"], shown["services"], shown["failure"]) == ("expired", 1, None)
    (service,) = khizana("trust", "show", "--service", "seals").json()
    assert service["periods"][0]["status"] == "granted"
    assert khizana("trust", "unfollow", str(file)).json() == []
    assert khizana("trust", "unfollow", str(file)).err.startswith("error: trust-list-unknown")


def test_the_archive_shows_what_is_due_and_a_document_that_is_not_there_is_refused(khizana: Run) -> None:
    khizana("migrate")
    due = khizana("archive", "renew", "--dry-run").json()
    assert set(due) >= {"copies_to_make", "copies_to_renew", "copies_to_cover", "records_to_renew", "next_end"}
    renewed = khizana("archive", "renew")
    assert (renewed.code, renewed.json()["failed"]) == (0, 0)
    assert khizana("archive", "show").json()["failing"] == []
    refused = khizana("archive", "show", "2" * 25, "--at", "2030-01-01")
    assert (refused.code, "not-archived" in refused.err) == (2, True)


def test_an_administration_gets_a_seal_key_and_is_enabled(khizana: Run, tmp_path: Path, home_folder: Path) -> None:
    made = khizana("sealing", "key", "ma.gov.sante", "--organisation", "Ministère de la Santé")
    assert made.code == 0, made.err
    assert (home_folder / "keys" / "locker" / "seals" / "ma.gov.sante.pem").stat().st_mode & 0o777 == 0o600
    again = khizana("sealing", "key", "ma.gov.sante", "--organisation", "Ministère de la Santé")
    assert (again.code, "seal-key-exists" in again.err) == (2, True)

    certificate, chain = tmp_path / "seal.der", tmp_path / "issuing.der"
    certificate.write_bytes(certified(made.json()["certificate_request"], at=dt.datetime.now(dt.UTC)))
    chain.write_bytes(pki().issuing.der)
    enabling = ("sealing", "enable", "ma.gov.sante", "--certificate", str(certificate), "--chain", str(chain))
    assert "seal-certificate-unregistered" in khizana(*enabling).err
    names = dict.fromkeys(("ar", "fr", "zgh", "en"), "Santé")
    registration = json.dumps({"administration": "ma.gov.sante", "names": names})
    words = ("administration", "register", "--file", "-", "--seal-certificate", str(certificate))
    assert khizana(*words, stdin=registration).code == 0
    assert khizana(*enabling).json()["enabled"] is True
    assert "Ministère de la Santé" in khizana("sealing", "show", "ma.gov.sante").json()["subject"]
    # Somebody else's certificate does not fit this key.
    certificate.write_bytes(pki().seal.der)
    assert "sealing-refused" in khizana(*enabling).err
    assert khizana("sealing", "disable", "ma.gov.sante").json()["enabled"] is False
    assert "administration-unknown" in khizana("sealing", "show", "ma.gov.sante").err
