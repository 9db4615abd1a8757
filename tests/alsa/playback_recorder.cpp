// SPDX-License-Identifier: LGPL-2.1-or-later
#include "alsa/playback_recorder.h"

#include <fcntl.h>
#include <sys/stat.h>

namespace jkvm::testing {

PlaybackRecorder::PlaybackRecorder(const ControlDirectory &control)
{
    if (!control.read("record"))
        return;
    file_ = UniqueFd{open((control.path() + "/played").c_str(),
                          O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644)};
    struct stat status = {};
    if (file_ && fstat(file_.get(), &status) == 0)
        samples_ = static_cast<uint64_t>(status.st_size) / sizeof(int32_t);
}

void PlaybackRecorder::set_channels(unsigned channels)
{
    channels_ = channels;
}

void PlaybackRecorder::append(std::span<const int32_t> samples)
{
    if (!file_)
        return;
    const auto bytes = std::as_bytes(samples);
    // Recording ends after a failed or short write: the file would no longer match the log.
    if (write(file_.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
        file_ = UniqueFd{};
    samples_ += samples.size();
}

void PlaybackRecorder::mark(ControlDirectory &control, std::string_view event, int64_t time,
                            double speed) const
{
    if (file_)
        control.log("play " + std::string(event) +
                    " frame=" + std::to_string(samples_ / channels_) +
                    " time=" + std::to_string(time) + " speed=" + std::to_string(speed));
}

} // namespace jkvm::testing
