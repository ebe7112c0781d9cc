// An image is built, of what the form has; what is said meanwhile is shown, and what has come of it is linked.
"use strict";
document.getElementById("build-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target, button = form.querySelector("button"), where = document.getElementById("job-place");
  const { tag, directory, file, text, archive } = form.elements, image = document.getElementById("build-image");
  button.disabled = true; image.replaceChildren();
  try {
    const [brought] = archive.files;
    const done = brought
      ? await window.rootless.work(`/build/archive?tag=${encodeURIComponent(tag.value)}`, brought, "application/octet-stream", where)
      : await window.rootless.work("/build", JSON.stringify({ tag: tag.value, directory: directory.value, file: file.value, text: text.value }), "application/json", where);
    if (done.image) {
      const link = document.createElement("a");
      link.href = `/images/${done.image}`; link.textContent = `The image ${tag.value}`;
      image.append(link);
    }
  } catch (error) {
    window.rootless.tell(error.message, true);
  } finally {
    button.disabled = false;
  }
});
