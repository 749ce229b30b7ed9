export async function mount(element, context) {
  const words = document.createElement("p");
  words.id = "own-words";
  element.append(words);
  const show = async () => {
    const page = await context.get(`/tools/${context.tool}/results`, { kind: "zone", limit: 1 });
    words.textContent = `${page.items[0].title}, for ${context.person.role}, in ${context.language}`;
  };
  const button = document.createElement("button");
  button.id = "own-button";
  button.textContent = "Draw 3";
  button.addEventListener("click", async () => { button.textContent = (await context.ask("draw", { size: 3 })).text; });
  element.append(button);
  const end = context.on("result", (news) => { if (news.kind === "zone") show(); });
  await show();
  return () => { window.unmounted = true; end(); };
}
