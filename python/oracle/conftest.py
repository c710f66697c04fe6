"""Both sides, started once."""

from collections.abc import Iterator

import pytest

from peer import Peer


@pytest.fixture(scope="session")
def spark() -> Iterator[Peer]:
    peer = Peer("spark")
    yield peer
    peer.close()


@pytest.fixture(scope="session")
def ours() -> Iterator[Peer]:
    peer = Peer("ours")
    yield peer
    peer.close()
