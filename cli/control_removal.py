"""`caribou remove --control-plane`: what it shows and asks."""

from __future__ import annotations

from caribou.cli.consent import consent_to_removal
from caribou.cli.output import notify, say
from caribou.cli.plan_view import show_plan
from caribou.cli.session import Session
from caribou.control.deploy.control_removal import plan_control_removal, remove_control_plane
from caribou.control.deploy.steps import Action
from caribou.model.errors import OperationFailedError


def remove_control(here: Session, *, delete_data: bool, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Plan, ask, remove. Raises CaribouError."""
    known = here.known_workflows()
    if not here.control_answers:
        raise OperationFailedError(
            f"The control region {here.target.control_region} does not answer, so nothing of the control plane is "
            f"removed. To repeat: `caribou remove --control-plane`"
        )
    removal = plan_control_removal(here.aws, here.target, known, delete_data=delete_data)
    show_plan("remove", removal.steps, as_json=as_json)
    if dry_run:
        return
    if not yes:
        consent_to_removal("stack", removal.name, delete_data=delete_data)
    remove_control_plane(here.aws, removal, here.target, notify)
    kept = [step.name for step in removal.steps if step.action is Action.KEEP]
    say(f"{removal.name} is removed" + (f"; {', '.join(kept)} stay" if kept else ""))
