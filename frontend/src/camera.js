// Face enrolment and verification on a page or in a dialog of it.
//
//   <section data-camera data-url="…" data-frames="3" data-purpose="enrol|verify">   (macros/media.html camera())
//     [data-camera-video] [data-camera-cover] [data-camera-start] [data-camera-shoot] [data-camera-outcome]
//     <input type=hidden data-camera-field name=…>     sent along
//   POST data-url, multipart: frames (JPEG, repeated)  ->
//     {"outcome": "match|no_match|undetermined|enrolled|rejected", "message": "…", "advice": ["…"], "next_url": "/…" or null}
// Every 4xx may answer the same JSON or {"message"}. A camera inside a player belongs to player.js.
import { every } from './lib/dom.js';
import { Camera } from './lib/face.js';

for (const root of every('[data-camera]')) {
  if (root.closest('[data-player]')) continue;
  const camera = new Camera(root);
  root.closest('dialog')?.addEventListener('close', () => camera.stop());
}
