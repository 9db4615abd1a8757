// SPDX-License-Identifier: LGPL-2.1-or-later
// Settings that a supervised bin and its worker share.
#pragma once

// Properties of both ends of the private socket. On the microphone path the sender announces the
// format and the end of the stream, and dialect v2 carries encoder requests. The bin always
// listens, whichever way the audio flows.
#define JKVM_WORKER_DIRECTION "microphone"
#define JKVM_WORKER_DIALECT "v2"
