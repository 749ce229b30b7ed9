// The report of an incident can be printed.

document.getElementById("print").addEventListener("click", () => print());
