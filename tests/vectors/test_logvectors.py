# SPDX-License-Identifier: AGPL-3.0-or-later
"""The log's vectors: what holds, holds; what must be refused is."""

import pytest

from latchstring.log.errors import LogError
from latchstring.log.fork import check_fork, parse_fork
from latchstring.log.note import VerifierKey
from latchstring.log.tlog_proof import check_tlog_proof, parse_tlog_proof
from latchstring.protocol.directory import decode_directory
from tests.vectors.make import load_vectors

V = load_vectors("proofs")
KEY = VerifierKey.parse(V["log_key"])


def test_the_proofs_hold() -> None:
    assert check_tlog_proof(parse_tlog_proof(V["tlog_proof"].encode()), bytes.fromhex(V["entry"]), KEY).size == 3
    assert [point.size for point in check_fork(parse_fork(bytes.fromhex(V["fork_proof"])), KEY)] == [3, 4]
    assert decode_directory(bytes.fromhex(V["directory_body"])).quorum == 1


@pytest.mark.parametrize("case", V["no_tlog_proofs"], ids=lambda c: str(c["why"]))
def test_no_proof_of_an_entry(case: dict[str, str]) -> None:
    with pytest.raises(LogError):
        check_tlog_proof(parse_tlog_proof(case["file"].encode()), bytes.fromhex(V["entry"]), KEY)


@pytest.mark.parametrize("case", V["no_fork_proofs"], ids=lambda c: str(c["why"]))
def test_no_proof_of_a_fork(case: dict[str, str]) -> None:
    with pytest.raises(LogError):
        check_fork(parse_fork(bytes.fromhex(case["file"])), KEY)
