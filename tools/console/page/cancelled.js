// The widget was left: there is nothing to register.

import { PENDING } from "/connect.js";
import { $, say } from "/dom.js";

sessionStorage.removeItem(PENDING);
say($("outcome"), "The widget was closed before a bank was connected. Nothing was stored.");
$("back").focus();
