/** What acts are called and how they ended, by the verb of their event type. */
import { expect, test } from "@jest/globals";
import { operationOf, statusOf } from "../../src/core/actions.ts";

test.each([
  ["account.created", "CREATE"], ["account.added", "CREATE"], ["team.line-item.removed", "DELETE"], ["account.viewed", "READ"],
  ["auth.login", "LOGIN"], ["auth.logged-in", "LOGIN"], ["auth.login-failed", "LOGIN_FAILED"], ["auth.logout", "LOGOUT"],
  ["auth.password_reset", "PASSWORD_RESET"], ["auth.password_changed", "PASSWORD_CHANGE"], ["report.exported", "EXPORT"],
  ["order.canceled", "CANCEL"], ["user.role_assigned", "ROLE_ASSIGN"], ["order.shipped", "SHIPPED"], ["user.constructor", "CONSTRUCTOR"],
])("R-67 %s is called %s", (eventType, operation) => {
  expect(operationOf(eventType)).toBe(operation);
}); // biome-ignore format: a table

test.each([
  ["account.created", undefined, "SUCCESS"], ["auth.login_failed", undefined, "FAILURE"], ["door.access-denied", undefined, "FAILURE"],
  ["payment.failed", undefined, "FAILURE"], ["payment.requested", undefined, "PENDING"], ["export.submitted", undefined, "PENDING"],
  ["payment.requested", "SUCCESS", "SUCCESS"], ["account.created", "FAILURE", "FAILURE"], ["account.created", "failed", "SUCCESS"],
  ["auth.login_failed", 7, "FAILURE"], ["account.unfailed", undefined, "SUCCESS"],
])("R-65 %s with metadata.status %p ended as %s", (eventType, told, status) => {
  expect(statusOf(eventType, told)).toBe(status);
}); // biome-ignore format: a table
