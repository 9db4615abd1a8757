// SPDX-License-Identifier: LGPL-2.1-or-later
// Owns a pad probe.
#pragma once

#include "common/gst_ref.h"

namespace jkvm {

/// Removes the probe on destruction. A call that is in progress is not waited for, so the pad's
/// element must be stopped by then.
class PadProbe {
public:
    PadProbe(GstPad *pad, GstPadProbeType types, GstPadProbeCallback callback, gpointer data)
        : pad_(GstRef<GstPad>::share(pad)),
          id_(gst_pad_add_probe(pad, types, callback, data, nullptr))
    {}
    PadProbe(const PadProbe &) = delete;
    PadProbe &operator=(const PadProbe &) = delete;
    ~PadProbe() { gst_pad_remove_probe(pad_.get(), id_); }

    [[nodiscard]] GstPad *pad() const { return pad_.get(); }

private:
    GstRef<GstPad> pad_;
    gulong id_;
};

} // namespace jkvm
