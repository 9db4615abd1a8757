// SPDX-License-Identifier: LGPL-2.1-or-later
// What a supervised bin and its worker have to agree on.
#pragma once

// How both ends of the private socket are set. The microphone's path is the one where the sender
// tells the format and the end of the stream; v2 carries encoder requests as well. The bin's end
// listens, whichever way the sound goes.
#define JKVM_WORKER_DIRECTION "microphone"
#define JKVM_WORKER_DIALECT "v2"
