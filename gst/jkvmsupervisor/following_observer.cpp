// SPDX-License-Identifier: LGPL-2.1-or-later
#include "following_observer.h"

#include "common/timestamp_following.h"

#include <utility>

namespace jkvm {

FollowingObserver::FollowingObserver(GstPad *source, Report report)
    : report_(std::move(report)),
      probe_(
          source, GST_PAD_PROBE_TYPE_EVENT_UPSTREAM,
          [](GstPad *, GstPadProbeInfo *info, gpointer self) noexcept {
              if (GST_EVENT_TYPE(gst_pad_probe_info_get_event(info)) == GST_EVENT_RECONFIGURE)
                  static_cast<FollowingObserver *>(self)->query();
              return GST_PAD_PROBE_OK;
          },
          this)
{}

void FollowingObserver::query()
{
    const std::lock_guard lock(mutex_);
    const bool follows = sink_follows_timestamps(probe_.pad());
    if (std::exchange(follows_, follows) != follows)
        report_(follows);
}

} // namespace jkvm
