"""What the document allows is answered, but for the rules that JSON Schema cannot say: those refuse with 400 and name the field."""
import re

import schemathesis
from schemathesis.checks import CHECKS

# By field: what else is refused, and why no schema can say it.
rules = {
    # Opaque and authenticated, bound to question and caller, for a day.
    "page_token": r"page_token (is not a token of this service|was given for another request)",
    # Has a grammar of its own (docs/search.md).
    "filter": r"filter, character \d+: |filter has ",
    # Words are what is left of a text once it is folded.
    "search": r"search has more than 16 words$",
    # Between parameters.
    "offset": r"offset must not be given with a page_token$",
    "to_date": r"to_date is before from_date$",
    "to_version": r"to_version must not be below from_version$",
    "recorded_to": r"recorded_to must be later than recorded_from$",
    "recorded_at": r"recorded_at must not be given with version$",
    "action_at": r"action_at must not be given with (version|recorded_at)$",
    "id": r"either id or index must be given$",
    "index": r"either id or index must be given$",
    "to_offset": r"to_offset must not be below from_offset$",
    "tree_size": r"tree_size must not be below old_size$",
    # Counts only where neither a header nor a CloudEvent has the event's id.
    "event.metadata.event_id": r"INVALID_EVENT_ID: ",
    # A schema speaks of characters, not of the bytes they come in.
    "idempotency-key": r"idempotency-key must be UTF-8$",
}

# A zone may carry the first hours of 2000 into 1999.
too_early = r"(from_date|to_date|recorded_at|recorded_from|recorded_to|action_at) must lie between the year 2000"
# Moves with the clock, and lies elsewhere in a CloudEvent.
out_of_range = r"TIMESTAMP_RANGE: "
# Holds at any depth of an event.
nul_in_key = r"INVALID_KEY: A key contains the character NUL"


def is_ruled(problem):
    faults = problem.get("errors", [])
    if len(faults) != 1:
        return False
    allowed = [rules.get(faults[0]["field"], "(?!)"), too_early, out_of_range, nul_in_key]
    return any(re.match(rule, faults[0]["detail"]) for rule in allowed)


@schemathesis.check
def answers_what_is_valid(ctx, response, case):
    if response.status_code == 400 and is_ruled(response.json()):
        return None
    return positive_data_acceptance(ctx, response, case)


positive_data_acceptance = CHECKS.get_one("positive_data_acceptance")
