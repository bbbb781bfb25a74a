"""eval on the control socket: values as BIRD prints them, constants of the configuration, errors."""

import pytest

from lab import Peregrine

CONFIG = 'define MYAS = 65001;\ndefine KEY = hex:01:ff;\n'


@pytest.fixture(name="one")
def fixture_one(lab):
    return Peregrine(lab.ns("a"), CONFIG)


def test_values(one):
    with one.control() as client:
        client.command("restrict")  # it changes nothing, so everybody may
        for text, value in (("1+2", "3"), ("MYAS * 2", "130002"), ("(1,2)", "(1,2)"), ("10.0.0.0/8", "10.0.0.0/8"),
                            ('"abc"', "abc"), ("10.0.0.1", "10.0.0.1"), ("true", "TRUE"), ("1:2", "1:2"),
                            ("0 - 1", "4294967295"), ("KEY", "01:ff"), ("true || false && false", "FALSE")):
            assert client.command(f"eval {text}") == [(23, value)], text


@pytest.mark.parametrize("text,error", [
    ("1/0", "Division of 1 by zero"), ("nosuch", "Undefined symbol 'nosuch'"), ("", "syntax error, unexpected end"),
    ("[1,2]", "filters are not supported by this build"), ("(65000,1,2)", "filters are not supported by this build"),
    ("1 +", "syntax error, unexpected end"), ("-1", "Numbers are never negative"), ("bfd1", "Undefined symbol"),
    ("device1", "'device1' is not a constant"), ("1;", "syntax error, unexpected ';'"),
])
def test_errors(one, text, error):
    reply = one.birdc(f"eval {text}")
    assert reply[-1][0] == 9001 and reply[-1][1].startswith(error), reply
