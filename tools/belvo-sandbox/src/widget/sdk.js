// A stand-in for Belvo's Web SDK: shows the widget of the sandbox in a frame inside #belvo.
(() => {
  "use strict";
  const home = new URL(document.currentScript.src).origin;
  const PASSED_ON = [
    "locale",
    "external_id",
    "access_mode",
    "institutions",
    "country_codes",
    "integration_type",
  ];

  function createWidget(access, options = {}) {
    const address = new URL("/widget/", home);
    address.searchParams.set("access_token", access);
    for (const name of PASSED_ON) {
      if (options[name] != null) address.searchParams.set(name, String(options[name]));
    }
    address.searchParams.set("embedded", "1");

    function build() {
      const place = document.getElementById("belvo");
      if (!place) throw new Error('belvoSDK needs an element with id="belvo"');
      const frame = document.createElement("iframe");
      frame.title = "Belvo";
      frame.src = address.href;
      frame.style.cssText = "display:block;width:100%;min-height:44rem;border:0";

      function close() {
        window.removeEventListener("message", receive);
        frame.remove();
      }

      function receive(event) {
        if (event.origin !== home || event.source !== frame.contentWindow) return;
        const { type, link, institution, data } = event.data ?? {};
        if (type === "success") {
          close();
          options.callback?.(link, institution);
        } else if (type === "exit") {
          close();
          options.onExit?.(data);
        } else if (type === "event") {
          options.onEvent?.(data);
        }
      }

      window.addEventListener("message", receive);
      place.replaceChildren(frame);
    }

    return { build };
  }

  window.belvoSDK = { createWidget };
})();
