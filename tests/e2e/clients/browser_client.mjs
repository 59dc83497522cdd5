// JsSIP or sip.js without a browser: their signalling is as there, media is none. Says what happens, a line each, and does what lines tell it.
// node browser_client.mjs jssip|sipjs FOLDER_OF_PACKAGES URL USER
import { createRequire } from "module";
import readline from "readline";

const [kind, packages, url, user] = process.argv.slice(2);
const require = createRequire(packages + "/");
const say = (...words) => process.stdout.write(words.join(" ") + "\n");
const uri = (name) => `sip:${name}@example.org`;
const sdp = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0", "m=audio 9 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "a=sendrecv", ""].join("\r\n");
globalThis.WebSocket = require("ws");

class NoMedia {
  iceGatheringState = "complete";
  signalingState = "stable";
  addEventListener() {}
  removeEventListener() {}
  getSenders() { return []; }
  async createOffer() { return { type: "offer", sdp }; }
  async createAnswer() { return { type: "answer", sdp }; }
  async setLocalDescription(description) { this.localDescription = description; }
  async setRemoteDescription() {}
  close() { this.signalingState = "closed"; }
}

function jssip() {
  globalThis.window = globalThis;
  globalThis.RTCPeerConnection = NoMedia;
  globalThis.RTCSessionDescription = class { constructor(init) { Object.assign(this, init); } };
  const JsSIP = require("jssip");
  const agent = new JsSIP.UA({ sockets: [new JsSIP.WebSocketInterface(url)], uri: uri(user), register: true, session_timers: false });
  const media = { mediaConstraints: { audio: false, video: false } };
  let session;
  agent.on("registered", () => say("registered"));
  agent.on("registrationFailed", (event) => say("refused", event.cause));
  agent.on("newMessage", (event) => event.originator === "remote" && say("message", event.request.body.trim()));
  agent.on("newRTCSession", (event) => {
    session = event.session;
    session.on("confirmed", () => say("established"));
    session.once("progress", () => event.originator === "local" && say("ringing"));
    session.on("ended", () => say("ended"));
    session.on("failed", (failure) => failure.cause === JsSIP.C.causes.CANCELED ? say("cancelled") : say("refused", failure.cause));
    session.on("reinvite", () => say("reinvited"));
    if (event.originator === "remote") say("incoming", event.request.getHeaders("Record-Route").length);
  });
  agent.start();
  const delivery = { eventHandlers: { succeeded: () => say("delivered"), failed: (failure) => say("refused", failure.cause) } };
  return {
    call: (name) => agent.call(uri(name), media),
    answer: () => session.answer(media),
    cancel: () => session.terminate(),
    bye: () => session.terminate(),
    again: () => session.renegotiate({}, () => say("renegotiated")) || say("refused to renegotiate"),
    message: (name) => agent.sendMessage(uri(name), `from ${user}`, delivery),
  };
}

function sipjs() {
  const SIP = require("sip.js");
  const media = () => ({
    close() {},
    hasDescription: (type) => type === "application/sdp",
    getDescription: async () => ({ body: sdp, contentType: "application/sdp" }),
    setDescription: async () => {},
    rollbackDescription: async () => {},
    sendDtmf: () => false,
    holdModifier: async (description) => description,
  });
  const refused = (response) => say("refused", response.message.statusCode);
  let session;
  const follow = (next) => {
    session = next;
    let established = false;
    const called = next instanceof SIP.Invitation;
    // It answers a re-INVITE with 500 as long as the ACK is being worked on.
    const acknowledged = () => {
      if (called && !session.wasAcknowledged) setImmediate(() => say("established"));
      session.wasAcknowledged = true;
    };
    session.delegate = { onInvite: () => say("reinvited"), onAck: acknowledged };
    session.stateChange.addListener((state) => {
      if (state === "Established") {
        established = true;
        if (!called) say("established");
      }
      if (state === "Terminated") say(established ? "ended" : "cancelled");
    });
  };
  const agent = new SIP.UserAgent({
    uri: SIP.UserAgent.makeURI(uri(user)), transportOptions: { server: url }, sessionDescriptionHandlerFactory: media, logBuiltinEnabled: false,
    delegate: {
      onInvite: (invitation) => { follow(invitation); say("incoming", invitation.request.getHeaders("Record-Route").length); },
      onMessage: (message) => { say("message", message.request.body.trim()); message.accept(); },
    },
  });
  const registerer = new SIP.Registerer(agent);
  registerer.stateChange.addListener((state) => state === "Registered" && say("registered"));
  agent.start().then(() => registerer.register({ requestDelegate: { onReject: refused } }));
  return {
    call: (name) => {
      let rings = false;
      follow(new SIP.Inviter(agent, SIP.UserAgent.makeURI(uri(name))));
      session.invite({ requestDelegate: {
        onProgress: () => { if (!rings) say("ringing"); rings = true; },
        onReject: (response) => response.message.statusCode !== 487 && refused(response),
      } });
    },
    answer: () => session.accept(),
    cancel: () => session.cancel(),
    bye: () => session.bye(),
    again: () => session.invite({ requestDelegate: { onAccept: () => say("renegotiated"), onReject: refused } }),
    message: (name) => new SIP.Messager(agent, SIP.UserAgent.makeURI(uri(name)), `from ${user}`)
      .message({ requestDelegate: { onAccept: () => say("delivered"), onReject: refused } }),
  };
}

const commands = { jssip, sipjs }[kind]();
readline.createInterface({ input: process.stdin })
  .on("line", async (line) => {
    const [word, name] = line.split(" ");
    try { await commands[word](name); } catch (error) { say("refused", word, error.message); }
  })
  .on("close", () => process.exit(0));
