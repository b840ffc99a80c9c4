// SPDX-License-Identifier: AGPL-3.0-or-later
"use strict";(()=>{document.documentElement.classList.add("scripted");document.addEventListener("submit",e=>e.preventDefault(),!0);document.addEventListener("DOMContentLoaded",()=>{let e=document.getElementById("unscripted");e&&!document.documentElement.dataset.page&&(e.hidden=!1)});})();
