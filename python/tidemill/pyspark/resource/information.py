"""A resource that there is."""

from __future__ import annotations


class ResourceInformation:
    """A kind of resource, such as GPUs, and the addresses of those that there are.

    >>> ResourceInformation("gpu", ["0", "1"]).addresses
    ['0', '1']
    """

    def __init__(self, name: str, addresses: list[str]) -> None:
        self._name, self._addresses = name, addresses

    @property
    def name(self) -> str:
        """The kind."""
        return self._name

    @property
    def addresses(self) -> list[str]:
        """Where they are."""
        return self._addresses
