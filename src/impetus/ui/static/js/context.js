// What the server says about this page and its reader: the one data block in the head.

export const context = JSON.parse(document.getElementById("page-data").textContent);

const permissions = new Set(context.permissions);

export function may(permission) {
  return permissions.has(permission);
}
