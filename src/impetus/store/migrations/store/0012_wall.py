"""Row-level security on PostgreSQL: a second wall between organisations. See `impetus.store.wall`."""

from alembic import op

revision = "0012"
down_revision = "0011"

OF_TENANT = (
    "alert",
    "assessment",
    "audit",
    "audit_head",
    "cap_message",
    "correlation_rules",
    "dashboard",
    "dashboard_assignment",
    "data_protection_record",
    "datastream",
    "escalation",
    "evidence_custody",
    "governance_document",
    "handover",
    "held_cap",
    "identity",
    "incident",
    "notification",
    "notification_plan",
    "procedure_event",
    "procedure_run",
    "procedure_version",
    "second_factor",
    "session",
    "task",
    "token",
    "tool_request",
    "tool_result",
    "user_account",
    "verdict",
)
OF_TWO = {
    "sharing_agreement": ("giver", "receiver"),
    "incident_share": ("giver", "receiver"),
    "incident_message": ("author", "giver", "receiver"),
}


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, sides in {**dict.fromkeys(OF_TENANT, ("tenant",)), **OF_TWO}.items():
        op.execute(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')
        # The owner of the tables, which the program logs in as, is not exempt.
        op.execute(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY')
        op.execute(
            f'CREATE POLICY organisation_wall ON "{table}" USING '
            f"(coalesce(current_setting('impetus.organisation', true), '') IN ('', {', '.join(sides)}))"
        )
