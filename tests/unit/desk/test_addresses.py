# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a desk remembers of where its door answers."""

from pathlib import Path

import pytest

from latchstring.desk.addresses import learn, learned, ways
from latchstring.desk.errors import VaultError
from latchstring.desk.identity import identity, keep_identity, new_identity
from latchstring.desk.vault import Vault, create_vault, open_vault
from tests.builders import Stream
from tests.desk_world import CHEAP, PASSPHRASE

TYPED = ("http://typed.onion", "http://old.onion")
NAMED = ("http://new.onion", "https://door.example")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "desk.vault"


@pytest.fixture
def vault(path: Path) -> Vault:
    made = create_vault(path, PASSPHRASE, Stream("vault"), CHEAP)
    keep_identity(made, new_identity("door", "news", "anna", TYPED, Stream("keys")))
    return made


def test_the_newest_directory_s_addresses_replace_those_before(vault: Vault, path: Path) -> None:
    assert learned(vault) == ()
    assert learn(vault, NAMED)
    assert not learn(vault, NAMED)
    assert learn(vault, NAMED[::-1])
    vault.close()
    with open_vault(path, PASSPHRASE, CHEAP) as again:
        assert learned(again) == NAMED[::-1]
        assert identity(again).addresses == TYPED, "what the member typed stays"
        assert learn(again, ())
        assert learned(again) == ()


def test_the_order_of_trying(vault: Vault) -> None:
    assert list(ways(vault, hidden=True)) == list(TYPED)
    learn(vault, (*NAMED, TYPED[0]))
    assert list(ways(vault, hidden=True)) == [*NAMED, *TYPED]
    assert list(ways(vault, hidden=False)) == list(TYPED)


@pytest.mark.parametrize("stored", [False, True], ids=["fails-not-stored", "fails-but-stored"])
def test_learning_is_all_or_nothing(vault: Vault, path: Path, stored: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    learn(vault, TYPED)
    real = Vault._commit

    def failing(self: Vault) -> None:
        if stored:
            real(self)
        raise VaultError("The disk is full.", "Make room.")

    with monkeypatch.context() as patch:
        patch.setattr(Vault, "_commit", failing)
        with pytest.raises(VaultError):
            learn(vault, NAMED)
    vault.close()
    with open_vault(path, PASSPHRASE, CHEAP) as again:
        assert learned(again) == (NAMED if stored else TYPED)
        learn(again, NAMED)
        assert learned(again) == NAMED
