"""Two policies over one detector: an audit is precise, publishing is complete."""

from __future__ import annotations

import pickle
import random
from uuid import UUID

import pytest

from provision.detect.detector import Detector
from provision.detect.policy import Policy
from provision.detect.stream.scanner import StreamScanner

AUDIT = Detector()
PUBLISHING = Detector(policy=Policy.PUBLISHING)
WEAK = (
    "hunter", "hunter22", "admin123", "monkey123", "letmein", "12345678", "s3cr3t", "RedisPass1!", "Mailpass1234!",
    "correct-horse", "550e8400-e29b-41d4-a716-446655440000", "9e107d9d372bb6826bd81d3542a419d6", "ab" * 64,
)  # fmt: skip
FORMS = (
    "DB_PASSWORD={}", "export API_TOKEN={}", "password: {}", "  - api_key: {}", 'db_password: "{}"', 'password = "{}"',
    '{{"password": "{}"}}', '{{"a": 1, "clientSecret":"{}"}}', '{{"m": "{{\\"password\\": \\"{}\\"}}"}}',
    "<password>{}</password>", '<user name="x" password="{}"/>', "GET /x?password={}&y=1 HTTP/1.1",
    "postgres://ada:{}@db:5432/x", "host=db user=ada password={} dbname=x", "Server=db;Uid=ada;Pwd={};",
    "X-Api-Key: {}", "Authorization: Bearer {}", "mysql --password={} db", "run --token {} now", "client(password='{}')",
    'os.environ["API_KEY"] = "{}"', "10:00:00 INFO login password={} ok", "Cookie: a=1; session={}",
    '{{"name": "DB_PASSWORD", "value": "{}"}}', "- name: DB_PASSWORD\n  value: {}", "docker run -e DB_PASSWORD={} x",
    "machine h login ada password {}", "password: `{}`", "DB_PASSWORD_PROD={}", "api_key_2: {}",
)  # fmt: skip
SEEN = (
    "password: changeme", "API_KEY=your-api-key", "token: ${TOKEN}", "secret: {{ vault.secret }}", "password: ********",
    "api_key: sk-aisa-…", "password: <password>", "password: true", "token: null", "DB_PASSWORD=$DB_PASSWORD",
    "client_secret: op://vault/item", "key_env: AISA_API_KEY", "password_file: /run/secrets/db", "secret: /run/secrets/db_secret",
    "max_tokens: 4096", "token = parser.next_token", "login(password=password, token=None)", "password: str",
    "def f(api_key: str | None = None) -> None:", "self.token = token", "password = get_password()", "token: Token,",
    'headers = {"Authorization": f"Bearer {token}"}', "PASSWORD = 'Please enter your password.'", "Authorization: Bearer",
    'env_name = "password"', "public_key: abc", "primary_key: id", 'if token == "sudo":', "api_key: [REDACTED]",
    "fetch(u, { credentials: 'same-origin' })", "secrets:`Geheimnisse`,secrets_hint:`x`", '"LABEL_PASSWORD": "Heslo",',
    "def page(page_token: :unset, size: :unset)", "RSAPrivateKey ::= SEQUENCE {", "token:e==null?`a`:b", "Token: '#dcdccc',",
    "gcloud secrets versions access latest --secret hermes-{user}",
    "token = -1", "const aliceSecret = alice.<span>x", "update-passwd --passwd=FICHIER", "x_get_secret: Added",
    "pw_name:pw_passwd:pw_uid:pw_gid:pw_dir", "--set-secrets=ENV=mysecret:latest", "pkcs11:token=Root%20CA;serial=1",
    'publicKeyToken="1fc8b3b9a1e18e3b"', "password=not default_value", "run --client-secret first.", "SLACK_TOKEN:`xoxb-`,",
    'SILENT_TOKEN = "NO_REPLY"', 'token = f"{base.rstrip(\'/\')}/x"', "token: return ``(a, b)``", "Authorization: Bearer.",
    "the password: it must have 8 characters", "use --password to set the password", "pre_shared_key: fix the parser",
)  # fmt: skip


def streamed(text: str) -> str:
    scanner = StreamScanner(PUBLISHING)
    pieces = [*scanner.feed(text.encode()), *scanner.finish()]
    return b"".join(b"" if piece.match else piece.data for piece in pieces).decode()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", WEAK)
def test_before_publishing_everything_beside_a_name_goes(form: str, value: str) -> None:
    text = form.format(value) + "\n"
    assert any(value in text[match.start : match.end] for match in PUBLISHING.scan(text.encode()))
    assert value not in streamed(text)


@pytest.mark.parametrize("text", SEEN)
def test_placeholders_references_and_code_stay(text: str) -> None:
    assert PUBLISHING.scan(f"{text}\n".encode()) == []


@pytest.mark.parametrize("form", [form for form in FORMS if "://" not in form])
@pytest.mark.parametrize(
    "word", ["required", "string", "Passwort", "newPassword", "userPassword", "changeme", "hashed"]
)
def test_an_audit_does_not_report_what_a_password_is_called_or_must_be(form: str, word: str) -> None:
    assert AUDIT.scan(f"{form.format(word)}\n".encode()) == []


@pytest.mark.parametrize(
    "form",
    [
        "login({{ password: '{}' }})",
        'connect(user="a", password="{}")',
        "  db_password: {}",
        "docker run -e MYSQL_ROOT_PASSWORD={} -d mysql",
        "spring.datasource.password={}",
        "      - POSTGRES_PASSWORD={}",
    ],
)
@pytest.mark.parametrize("word", ["hunter", "johndoe", "vanilla_sky", "correctpassword"])
def test_an_audit_reports_a_word_where_a_password_is_set(form: str, word: str) -> None:
    assert [match.secret.reveal() for match in AUDIT.scan(f"{form.format(word)}\n".encode())] == [word]


@pytest.mark.parametrize(
    "text",
    [
        "password: {},",
        "connect(password={})",
        "password = {}",
        "{{user: ada, password: {}}}",
        "the password: {} or two",
    ],
)
def test_a_word_in_program_code_or_text_may_be_a_variable(text: str) -> None:
    assert AUDIT.scan(f"{text.format('hunter')}\n".encode()) == []


@pytest.mark.parametrize("text", ["password: hunter2, ada\n", "Pwd=monkey;Server=db\n", "?password=hunter&user=ada\n"])
def test_a_mask_ends_with_the_value(text: str) -> None:
    (match,) = PUBLISHING.scan(text.encode())
    assert text[match.start : match.end] in {"hunter", "hunter2", "monkey"}


def test_a_worker_process_keeps_the_policy() -> None:
    again = pickle.loads(pickle.dumps(PUBLISHING))
    assert again.policy is Policy.PUBLISHING
    assert again.scan(b"password: hunter\n")


def test_what_an_audit_finds_is_found_before_publishing() -> None:
    key = "q7Vh2LmZp0XcT9bRk4wYs8NdJf3GuEa6"
    for form in FORMS:
        data = form.format(key).encode() + b"\n"
        if AUDIT.scan(data):
            assert PUBLISHING.scan(data), form


@pytest.mark.parametrize(
    "form", ["redis://:{}@h:6379/0", "DB_PASSWORD={}", "  password: {}", "smtp.password = '{}'", '"db_password": "{}",']
)
@pytest.mark.parametrize("value", ["admin123", "hunter22", "RedisPass1!", "Mailpass1234!", "Summer$lRVn", "monkey123"])
def test_an_audit_reports_an_ordinary_password_of_a_setting(form: str, value: str) -> None:
    assert [match.secret.reveal() for match in AUDIT.scan(f"{form.format(value)}\n".encode())] == [value]


@pytest.mark.parametrize(
    "form",
    [
        "login({{ password: '{}' }})",
        '{{user: "svc", pass: "{}"}}',
        'options.Password = "{}"',
        "f(user='a', password='{}')",
        "password => '{}',",
        '"{{\\"user\\": \\"a\\", \\"password\\": \\"{}\\"}}"',
        '{{ $SYS {{ users = [ {{ user: "admin", pass: "{}" }} ] }} }}',
    ],
)
@pytest.mark.parametrize("value", ["ncc-1701", "P4ssw0rd", "s3cr3t!", "Oracle_19c", "welcome1", "Mailpass1234!"])
def test_an_audit_reports_an_ordinary_password_in_quotes(form: str, value: str) -> None:
    assert [match.secret.reveal() for match in AUDIT.scan(f"{form.format(value)}\n".encode())] == [value]


@pytest.mark.parametrize(
    "value",
    [
        "password2",
        "field_2",
        "sha256",
        "v1.2",
        "/etc/a1/b2",
        "ada1@corp.net",
        ":unset1",
        "%s1",
        "${A1}",
        "a1()",
    ],
)
def test_an_audit_reports_no_name_or_reference_in_quotes(value: str) -> None:
    assert AUDIT.scan(f"login({{ password: '{value}' }})\n".encode()) == []


@pytest.mark.parametrize("scheme", ["vertica", "odbc+db2", "mymysql", "nats-route", "hdb", "trino"])
def test_an_audit_reports_a_password_in_an_address(scheme: str) -> None:
    (found,) = AUDIT.scan(f"DB={scheme}://admin:P4ssw0rd@localhost/x\n".encode())
    assert found.secret.reveal() == "P4ssw0rd"


@pytest.mark.parametrize(
    "value", ["password1", "test1234", "str2", "changeme1", "example9", "$PASSWORD1", "get_it(1)", "utf8", "3600"]
)
def test_an_audit_reports_no_example_of_a_password(value: str) -> None:
    assert AUDIT.scan(f"DB_PASSWORD={value}\n".encode()) == []


def test_long_hex_and_uuids_of_a_clear_name_are_findings() -> None:
    value, uuid = random.Random(5).randbytes(64).hex(), str(UUID(bytes=random.Random(6).randbytes(16), version=4))
    assert [match.secret.reveal() for match in AUDIT.scan(f"secret_key_base: {value}\n".encode())] == [value]
    for text in ("api_key: {}", 'CLIENT_SECRET="{}"', "X-Api-Key: {}", "Authorization: Bearer {}"):
        found = AUDIT.scan((text.format(uuid) + "\n").encode())
        assert [match.secret.reveal() for match in found] == [uuid], text
    for name in ("client_id", "request_id", "csrf_token"):
        assert AUDIT.scan(f"{name}: {uuid}\n".encode()) == []


def test_the_words_of_a_manual_page_stay() -> None:
    assert PUBLISHING.scan(b".B x \\-\\-region=r \\-\\-password=postgres\n") == []
    assert len(PUBLISHING.scan(b".B x \\-\\-region=r \\-\\-password=postgres1\n")) == 1
