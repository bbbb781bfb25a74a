"""With a state directory a killed daemon comes back with the discriminators it had; peers find it again."""

import os
import stat

from lab import Peregrine, wait_until
from scenario import FAST, addr, bfd, detail, direct, multihop, wait_fast


def discriminators(daemon, *remotes):
    return [detail(daemon, r)["Local discriminator"] for r in remotes]


def test_discriminators_survive_a_kill(lab, tmp_path):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    remotes = [addr(link.b, family) for family in ("v4", "v6", "ll")]
    config = bfd(*(direct(r, link.a) for r in remotes), multihop("192.0.2.77", link.a.ip4))
    two = Peregrine(link.b.ns, bfd(*(direct(addr(link.a, f), link.b) for f in ("v4", "v6", "ll"))))
    one = Peregrine(link.a.ns, f'state directory "{tmp_path}";\n' + config)
    for r in remotes:
        wait_fast(one, r)
    before = discriminators(one, *remotes, "192.0.2.77")
    secret = tmp_path / "bfd.secret"
    assert stat.S_IMODE(os.stat(secret).st_mode) == 0o600 and os.stat(secret).st_size == 32
    one.kill()
    one.start()
    for r in remotes:
        wait_fast(one, r)
    assert discriminators(one, *remotes, "192.0.2.77") == before
    two.wait_session(link.a.ip4, "Up")
    secret.unlink()
    one.kill()
    one.start()
    for r in remotes:
        wait_fast(one, r)
    after = discriminators(one, *remotes, "192.0.2.77")
    assert not set(after) & set(before) and len(set(after)) == 4


def test_without_a_directory_they_are_random_and_that_is_said(lab, tmp_path):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    missing = tmp_path / "missing"
    one = Peregrine(link.a.ns, f'state directory "{missing}";\n' + bfd(direct(link.b.ip4, link.a), options=FAST))
    before = discriminators(one, link.b.ip4)
    wait_until(lambda: "bfd.secret cannot be used" in one.log(), 3, "the warning")
    assert f"{missing}/bfd.secret cannot be used: No such file or directory" in one.log()
    one.kill()
    one.start()
    assert discriminators(one, link.b.ip4) != before


def test_a_file_that_others_may_read_is_refused_once(lab, tmp_path):
    link = lab.link(lab.ns("a"), lab.ns("b"))
    secret = tmp_path / "bfd.secret"
    secret.write_bytes(bytes(32))
    secret.chmod(0o640)
    config = f'state directory "{tmp_path}";\n' + bfd(direct(link.b.ip4, link.a), options=FAST)
    one = Peregrine(link.a.ns, config)
    wait_until(lambda: "others own it or may read it" in one.log(), 3, "the warning")
    one.birdc("debug all off")
    one.reload(config)
    assert one.log(tail=None).count("bfd.secret") == 1
    secret.unlink()
    one.reload(config)
    wait_until(secret.exists, 3, "a new secret")
