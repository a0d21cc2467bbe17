"""What is replaced beside secrets, and what is not."""

from __future__ import annotations

import pytest

from provision.redact.stand_ins import Kind, StandIns, is_searched

NAMES = {
    Kind.USER: ["ada"],
    Kind.HOST: ["box42"],
    Kind.CWD: ["/my folder/a b", "C:\\dev\\x"],
    Kind.IP: (),
    Kind.EMAIL: (),
}


def replaced(text: str, kinds: str = "user,host,cwd,ip,email") -> str:
    stand_ins = StandIns({Kind(kind): NAMES[Kind(kind)] for kind in kinds.split(",")})
    out, at = "", 0
    for found in stand_ins.find(text):
        out += text[at : found.start] + stand_ins.stand_in(found)
        at = found.end
    return out + text[at:]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ada@box42:~/secret$ ls", "user1@host1:/folder1$ ls"),
        ("[bob@web src]$", "[user1@host1 src]$"),
        ("$ scp x bob@web:/srv/a bob@web:/srv/a", "$ scp x user1@host1:/folder1 user1@host1:/folder1"),
        ("bob@web ~ %", "user1@host1 ~ %"),
        ("ada's /home/ada/x, ada.", "user1's /home/user1/x, user1."),
        (
            "/home/bob /Users/eve C:\\Users\\bob C:\\\\Users\\\\eve",
            "/home/user1 /Users/user2 C:\\Users\\user1 C:\\\\Users\\\\user2",
        ),
        ("BOX42 box42.corp.example", "host1 host1.corp.example"),
        ("/my folder/a b/c '/my folder/a b'", "/folder1/c '/folder1'"),
        ("C:\\dev\\x C:\\\\dev\\\\x\\\\y", "/folder1 /folder1\\\\y"),
        ("10.1.2.3, 10.1.2.3:80 10.1.2.3/24 8.8.8.8.", "192.0.2.1, 192.0.2.1:80 192.0.2.1/24 192.0.2.2."),
        ("[fe80::1]:80 2a00:1450:4001:810::200e", "[2001:db8::1]:80 2001:db8::2"),
        ("<Ada.L+x@corp.co.uk> ada.l+x@CORP.co.uk", "<mail1@example.com> mail1@example.com"),
        ("ada@example.com", "user1@example.com"),
    ],
)
def test_values_get_a_stand_in_wherever_they_are(text: str, expected: str) -> None:
    assert replaced(text) == expected
    assert replaced(expected) == expected, "a second run changes nothing"


@pytest.mark.parametrize(
    "text",
    [
        "canada adapter ada_x x_ada ada-x \u00e9ada",
        "root@box: ~ /home/runner /home/user1 C:\\Users\\Public",
        "my-box42 box42x www.box42x",
        "/my folder/a bc x/my folder/a b",
        "127.0.0.1 0.0.0.0 255.255.255.0 224.0.0.1 192.0.2.7 v1.2.3.4 lib-1.2.3.4 1.2.3 1.2.3.4.5 999.1.1.1 01.1.1.1 a1.1.1.1",
        "std::ace::bad ace::bad 12:30:15 aa:bb:cc:dd:ee:ff :: ::1 2001:db8::5",
        "git@github.com:a/b.git x@example.org y@host a@b@c.example",
    ],
)
def test_other_words_stay(text: str) -> None:
    assert replaced(text) == text


def test_only_what_was_asked_for_is_replaced() -> None:
    text = "ada@box42:~/x$ mail ada@corp.co.uk from 10.1.2.3"
    assert replaced(text, "host") == "ada@host1:~/x$ mail ada@corp.co.uk from 10.1.2.3"
    assert replaced(text, "user") == "user1@box42:~/x$ mail user1@corp.co.uk from 10.1.2.3"
    assert replaced(text, "ip") == "ada@box42:~/x$ mail ada@corp.co.uk from 192.0.2.1"


def test_what_is_found_by_itself() -> None:
    searched = {Kind.USER: "ada", Kind.HOST: "box42", Kind.CWD: "/data/secret"}
    common = [(Kind.USER, "root"), (Kind.USER, "al"), (Kind.HOST, "localhost"), (Kind.CWD, "/tmp"), (Kind.CWD, "/")]
    assert all(is_searched(kind, value) for kind, value in searched.items())
    assert not [value for kind, value in common if is_searched(kind, value)]


@pytest.mark.parametrize(
    ("text", "width_to_stand_in"),
    [
        ("bob", {1: "*", 2: "u1", 3: "u01", 5: "user1", 8: "user0001"}),
        ("fe80::1", {7: "*******", 11: "2001:db8::1", 13: "2001:db8::001"}),
        ("8.8.8.8", {7: "*******", 9: "192.0.2.1", 11: "192.0.2.001"}),
        ("a@b.co", {6: "m00001", 17: "mail1@example.com", 18: "mail01@example.com"}),
    ],
)
def test_on_a_terminal_a_stand_in_has_the_width_of_the_value(text: str, width_to_stand_in: dict[int, str]) -> None:
    stand_ins = StandIns({Kind.USER: ["bob"], Kind.IP: (), Kind.EMAIL: ()})
    [found] = stand_ins.find(text)
    assert {width: stand_ins.fit(found, width) for width in width_to_stand_in} == width_to_stand_in


def test_addresses_never_run_out() -> None:
    stand_ins = StandIns({Kind.IP: ()})
    found = stand_ins.find(" ".join(f"10.0.{n // 250}.{n % 250 + 1}" for n in range(1000)))
    assert len({stand_ins.stand_in(each) for each in found}) == len(found) == 1000
