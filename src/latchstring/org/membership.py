# SPDX-License-Identifier: AGPL-3.0-or-later
"""Members who come and go: invitations, cards, and what a removal means, in sentences for whoever signs it."""

from dataclasses import dataclass, replace

import tomli_w

from latchstring.org.draft import Draft, format_draft, parse_draft
from latchstring.org.errors import OrgError
from latchstring.org.tomlfile import read_toml
from latchstring.protocol.names import is_name


@dataclass(frozen=True, slots=True)
class Invitation:
    """What somebody new needs to make their vault; nothing in it is secret. `door`: the link, with addresses."""

    door: str
    desk: str
    member: str


def format_invitation(invitation: Invitation) -> str:
    """The file, to be handed over by a way that both trust. OrgError for a name that no directory can hold."""
    if not is_name(invitation.member):
        raise OrgError("That is not the name of a member. Lower-case letters, digits and hyphens, at most 32.")
    lines = tomli_w.dumps(
        {"invitation": {"door": invitation.door, "desk": invitation.desk, "member": invitation.member}}
    )
    return f"# An invitation to answer at a door: latchstring desk join THIS-FILE. Nothing here is secret.\n{lines}"


def parse_invitation(text: str) -> Invitation:
    """OrgError for anything else; whether door and names can be used is checked by whoever makes the vault."""
    t = read_toml(text, "invitation")
    if not t.has("invitation"):
        raise OrgError("That is not an invitation: 'desk invite' and 'org member invite' make one.")
    i = t.table("invitation")
    invitation = Invitation(i.text("door"), i.text("desk"), i.text("member"))
    i.done()
    t.done()
    return invitation


def check_card(draft: str, card: str) -> tuple[str, str]:
    """Desk and id of a member's card that can be added to the draft's desks; OrgError in words otherwise."""
    t = read_toml(card, "card")
    if not t.has("member"):
        raise OrgError("That is not a member's card: 'desk join' and 'desk card' make one.")
    m = t.table("member")
    desk_id, member = m.text("desk"), m.text("id")
    desks = parse_draft(draft).desks
    if all(desk.id != desk_id for desk in desks):
        raise OrgError(
            f"There is no desk '{desk_id}', only {_named([d.id for d in desks])}. For a new desk: "
            "latchstring org directory sign --add CARD."
        )
    for desk in desks:
        if desk.id != desk_id and desk.member(member) is not None:
            raise OrgError(f"'{member}' is a member of desk '{desk.id}' already. Ask for a card with another id.")
    return desk_id, member


def without_member(text: str, member: str) -> str:
    """The draft without that member; OrgError when there is none, or when their desk would be empty."""
    draft = parse_draft(text)
    desk = next((d for d in draft.desks if d.member(member) is not None), None)
    if desk is None:
        everyone = [m.id for d in draft.desks for m in d.members]
        raise OrgError(f"There is no member '{member}', only {_named(everyone)}.")
    if len(desk.members) == 1:
        raise OrgError(
            f"'{member}' is the last at desk '{desk.id}'. To close the desk, take it out of the draft and sign that; "
            "to hand it over, add the new member first."
        )
    left = replace(desk, members=tuple(m for m in desk.members if m.id != member))
    return format_draft(replace(draft, desks=tuple(left if d is desk else d for d in draft.desks)))


def what_removal_means(draft: Draft, member: str, left: int, signed: str) -> list[str]:
    """Before it is signed. `left`: how many stay at the desk; `signed`: the name that the signed directory gets."""
    signers = "one of them" if left <= 2 else "two of them"
    return [
        f"'{member}' can read and answer nothing that comes after the batch of this directory, and their signed "
        "requests are refused from then on.",
        "What they read until then they have. What was written under the keys of the days before, and is not erased "
        f"yet (up to {draft.policy.erase_days} days), their copy of the keys still opens.",
        "The desk takes no letters until it has new keys: those who stay should run 'latchstring desk sync' soon, "
        f"{signers} at least. To lose no time, give the signed directory to one of them before you send it: "
        f"latchstring desk sync --coming {signed}",
        f"Replies of '{member}' that are not published yet go out from the pages of those who stay.",
    ]


def _named(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
