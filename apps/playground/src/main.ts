// The playground: parts are made here and told of each other.
import "./fonts.css";
import "./style.css";
import { Announcer } from "./announcer";
import { Composer } from "./composer";
import { $, h } from "./dom";
import { startDropping } from "./drop";
import { install, isolate } from "./install";
import { startDevicePane } from "./pane_device";
import { startModelPane } from "./pane_model";
import { startSettingsPane } from "./pane_settings";
import { startStoragePane } from "./pane_storage";
import { Panel } from "./panel";
import { Pulse } from "./pulse";
import { builtIn, Room } from "./room";
import { startTheme } from "./theme";
import { Talk } from "./talk";
import { ThreadView } from "./thread_view";
import { startStatus } from "./status";
import { plural } from "./words";

const openings = [
  "Once upon a time, there was a small fox who",
  "Lily found a key in the garden. She",
  "The old robot woke up and said,",
  "One rainy day, Tom and his cat",
];

startTheme();
const room = new Room();
const talk = new Talk(room);
const panel = new Panel();
const pulse = new Pulse();
const announcer = new Announcer();
const composer = new Composer(room, talk);
isolate(() => !talk.busy.get() && talk.turns.get().length === 0 && !$<HTMLTextAreaElement>("words").value);
room.openTab = (tab) => panel.open(tab);

new ThreadView(room, talk);
startModelPane(room);
startDevicePane(room, talk, panel);
startSettingsPane(room);
startStoragePane(room, panel);
startStatus(room, talk, panel);
startDropping(room);

talk.listeners.push({
  begin: () => (pulse.begin(), announcer.begin()),
  part: (text, tokens) => {
    if (tokens) pulse.token();
    announcer.add(text);
  },
  end: (result) => {
    pulse.end(result?.stats.decodeTps);
    announcer.end(result ? `End of the answer, ${plural(result.ids.length, "token")}.` : "The answer ended early.");
  },
});
room.loading.watch((loading) => pulse.loading(loading));

for (const text of openings)
  $("openings").append(h("li", {}, h("button", { type: "button", onclick: () => composer.use(text) }, `${text} …`)));

if (matchMedia("(pointer: fine)").matches) $("words").focus({ preventScroll: true }); // a touch keyboard would cover half the page
void room.open(builtIn).then(install);
