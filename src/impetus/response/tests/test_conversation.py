"""Protects that words cross between organisations only where both sides agreed on it, and ours never do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from impetus.model import (
    Agreement,
    Category,
    FieldGroup,
    PartState,
    SharingTerms,
    Side,
    Visibility,
)
from impetus.response.sharing.conversation import giver_reads, receiver_reads
from impetus.store.sharing import ShareRecord, StoredMessage

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
SIDES = ("giver", "police", "fire")
SHARE = ShareRecord(
    id="share", giver="giver", incident="i", receiver="police", agreement="a", part=PartState.NOTIFIED, version=1,
    since=START, updated=START,
)  # fmt: skip


def agreement(groups: tuple[FieldGroup, ...]) -> Agreement:
    terms = SharingTerms(
        purpose="mutual aid", categories=(Category.FIRE,), until=START + timedelta(days=1), groups=groups
    )
    return Agreement(
        id="a", giver="giver", receiver="police", terms=terms, proposed_by=Side.GIVER, created=START, updated=START
    )


MESSAGES = st.builds(
    lambda author, receiver, kind, shared, minutes: StoredMessage(
        id="m",
        giver="giver",
        incident="i",
        author=author,
        # What a receiver writes is for the giver: its own name stands there.
        receiver=receiver if author == "giver" else author,
        person="p",
        person_name="P",
        sent=START + timedelta(minutes=minutes),
        text="x",
        kind=kind,
        # A chat message is always shared.
        visibility=Visibility.SHARED if shared or kind == "chat" else Visibility.OURS,
    ),
    st.sampled_from(SIDES),
    st.sampled_from([None, "police", "fire"]),
    st.sampled_from(["chat", "note"]),
    st.booleans(),
    st.integers(-5, 5),
)
IN_FORCE = st.none() | st.sets(st.sampled_from(FieldGroup)).map(lambda groups: agreement(tuple(sorted(groups))))


@given(MESSAGES, IN_FORCE)
def test_words_are_read_by_whom_they_are_for_and_by_nobody_else(
    message: StoredMessage, in_force: Agreement | None
) -> None:
    police, giver = receiver_reads(SHARE, in_force, message), giver_reads("giver", message)
    # One's own words are always there.
    assert not (message.author == "police" and not police)
    assert not (message.author == "giver" and not giver)
    if message.visibility is Visibility.OURS:
        assert police == (message.author == "police")
        assert giver == (message.author == "giver")
    if message.author == "fire" or (message.author == "giver" and message.receiver == "fire"):
        assert not police
    if police and message.author != "police":
        assert in_force is not None
        assert FieldGroup.CONVERSATION in in_force.terms.groups
        assert message.kind == "note" or message.sent >= SHARE.since
