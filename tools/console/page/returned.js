// The widget has led back here, with a link or without one.

import { $, say } from "/dom.js";

const wasLeft = location.pathname === "/cancelled";
say($("title"), wasLeft ? "Nothing was connected" : "Registering the link");
await import(wasLeft ? "/cancelled.js" : "/connected.js");
