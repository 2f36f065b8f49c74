import { planes } from "./planes.js";

document.querySelector("#count").textContent = `${planes.length} planes: ${planes.join(", ")}`;
