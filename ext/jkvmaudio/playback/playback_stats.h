// SPDX-License-Identifier: LGPL-2.1-or-later
// Converts the statistics of jkvmaudiosink to a GstStructure.
#pragma once

#include "playback/playback_thread.h"

#include <gst/gst.h>

namespace jkvm {

struct PlaybackStats {
    PlaybackEngine::Snapshot engine;
    PlaybackThread::Quality quality;
    ThreadPriority::Granted scheduling = ThreadPriority::Granted::normal;
};

/// Transfer full.
GstStructure *make_structure(const PlaybackStats &stats);

} // namespace jkvm
