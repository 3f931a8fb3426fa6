/** The stand-in for crowd-html-elements.js: defines the crowd elements that our worker templates use. */
import { CrowdBoundingBox } from "./boxes.js";
import { CrowdButton, CrowdCheckbox, CrowdTextArea } from "./fields.js";
import { CrowdForm } from "./form.js";
import { CrowdKeypoint } from "./keypoints.js";
import { imageClassifier } from "./verify.js";

// The form comes last: it asks the others.
customElements.define("short-instructions", class extends HTMLElement {});
customElements.define("full-instructions", class extends HTMLElement {});
customElements.define("crowd-button", CrowdButton);
customElements.define("crowd-checkbox", CrowdCheckbox);
customElements.define("crowd-text-area", CrowdTextArea);
customElements.define("crowd-bounding-box", CrowdBoundingBox);
customElements.define("crowd-keypoint", CrowdKeypoint);
customElements.define("crowd-image-classifier", imageClassifier());
customElements.define("crowd-form", CrowdForm);
