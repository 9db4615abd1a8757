// SPDX-License-Identifier: LGPL-2.1-or-later
#include "metric_table.h"

#include <array>

namespace jkvm {

namespace {

using enum Source;
using enum MetricKind;
using enum Unit;
constexpr Path output = wire::Direction::output;
constexpr Path microphone = wire::Direction::microphone;
constexpr Path any = std::nullopt;

// docs/elements/update.sh makes the page's tables from these, one line of the page from one line
// here.
// clang-format off
constexpr std::array metrics = std::to_array<Metric>({
    {"frames-received", stats, output, counter, one, "jetkvm_audio_frames_received_total", "", "Opus frames of the output sound that the element got"},
    {"frames-dropped", stats, output, counter, one, "jetkvm_audio_frames_dropped_total", "", "Frames of the output sound that went no further, for each client that did not get them"},
    {"bytes-processed", stats, output, counter, one, "jetkvm_audio_bytes_processed_total", "", "Bytes of Opus in the frames of the output sound"},
    {"connection-drops", stats, output, counter, one, "jetkvm_audio_connection_drops_total", "", "Connections of the output sound that ended while the element was open"},
    {"average-latency", stats, output, gauge, nanoseconds, "jetkvm_audio_average_latency_seconds", "", "Running average of the time from capture to this element, output sound"},
    {"last-frame-time", stats, output, gauge, nanoseconds, "jetkvm_audio_last_frame_timestamp_seconds", "", "When the last frame of the output sound came, Unix time; 0 before the first"},
    {"processed_frames", stats, microphone, counter, one, "jetkvm_microphone_frames_sent_total", "", "Opus frames of the microphone that the element passed on"},
    {"frames-dropped", stats, microphone, counter, one, "jetkvm_microphone_frames_dropped_total", "", "Frames of the microphone that went no further"},
    {"bytes-processed", stats, microphone, counter, one, "jetkvm_microphone_bytes_processed_total", "", "Bytes of Opus in the frames of the microphone"},
    {"connection-drops", stats, microphone, counter, one, "jetkvm_microphone_connection_drops_total", "", "Connections of the microphone that ended while the element was open"},
    {"average-latency", stats, microphone, gauge, nanoseconds, "jetkvm_microphone_average_latency_seconds", "", "Running average of the time from capture to this element, microphone"},
    {"last-frame-time", stats, microphone, gauge, nanoseconds, "jetkvm_microphone_last_frame_timestamp_seconds", "", "When the last frame of the microphone came, Unix time; 0 before the first"},

    {"send-buffer", stats, output, gauge, one, "jetkvm_audio_socket_buffer_size_bytes", "component=audio-output buffer_type=send", "Size of a socket buffer as the kernel counts it, the largest of all clients"},
    {"receive-buffer", stats, output, gauge, one, "jetkvm_audio_socket_buffer_size_bytes", "component=audio-output buffer_type=receive", ""},
    {"send-buffer", stats, microphone, gauge, one, "jetkvm_audio_socket_buffer_size_bytes", "component=audio-input buffer_type=send", ""},
    {"receive-buffer", stats, microphone, gauge, one, "jetkvm_audio_socket_buffer_size_bytes", "component=audio-input buffer_type=receive", ""},
    {"send-buffer-utilization", stats, output, gauge, one, "jetkvm_audio_socket_buffer_utilization_percent", "component=audio-output buffer_type=send", "Share of the socket buffer that is taken: send = now, by what the slowest client has not read; receive = when it was read last"},
    {"receive-buffer-utilization", stats, output, gauge, one, "jetkvm_audio_socket_buffer_utilization_percent", "component=audio-output buffer_type=receive", ""},
    {"send-buffer-utilization", stats, microphone, gauge, one, "jetkvm_audio_socket_buffer_utilization_percent", "component=audio-input buffer_type=send", ""},
    {"receive-buffer-utilization", stats, microphone, gauge, one, "jetkvm_audio_socket_buffer_utilization_percent", "component=audio-input buffer_type=receive", ""},
    {"dropped-queue-full", stats, output, counter, one, "jetkvm_audio_socket_buffer_overflow_total", "component=audio-output buffer_type=send", "Frames lost because a client did not read what was sent before; what a socket's buffer holds cannot be lost, so nothing overflows at the receiving end"},
    {"dropped-queue-full", stats, microphone, counter, one, "jetkvm_audio_socket_buffer_overflow_total", "component=audio-input buffer_type=send", ""},

    {"input_buffer_size", stats, any, gauge, one, "jetkvm_adaptive_input_buffer_size_bytes", "", "Size of the adaptive buffer in frames: the name is JetKVM's, the unit never was bytes"},
    {"input_buffer_size", stats, any, gauge, one, "jkvm_adaptive_input_buffer_frames", "", "Size of the adaptive buffer in frames"},
    {"output_buffer_size", stats, any, gauge, one, "jetkvm_adaptive_output_buffer_size_bytes", "", "Size of the adaptive buffer in frames: the name is JetKVM's, the unit never was bytes"},
    {"output_buffer_size", stats, any, gauge, one, "jkvm_adaptive_output_buffer_frames", "", "Size of the adaptive buffer in frames"},
    {"adaptation_count", stats, any, counter, one, "jetkvm_adaptive_buffer_adjustments_total", "", "Changes of the adaptive buffer's size"},
    {"system_cpu_percent", stats, any, gauge, one, "jetkvm_adaptive_system_cpu_percent", "", "Processor load that the adaptive buffer reckons with"},
    {"system_memory_percent", stats, any, gauge, one, "jetkvm_adaptive_system_memory_percent", "", "Memory load that the adaptive buffer reckons with"},

    {"cpu-percent", stats, output, gauge, one, "jetkvm_audio_process_cpu_percent", "", "Processor time of the supervised process of the output sound; 100 = one core"},
    {"rss", stats, output, gauge, memory, "jetkvm_audio_process_memory_percent", "", "Resident memory of the supervised process of the output sound, of the machine's"},
    {"rss", stats, output, gauge, one, "jetkvm_audio_process_memory_rss_bytes", "", "Resident memory of the supervised process of the output sound"},
    {"vms", stats, output, gauge, one, "jetkvm_audio_process_memory_vms_bytes", "", "Address space of the supervised process of the output sound"},
    {"running", stats, output, gauge, one, "jetkvm_audio_process_running", "", "Whether the supervised process of the output sound runs"},
    {"cpu-percent", stats, microphone, gauge, one, "jetkvm_microphone_process_cpu_percent", "", "Processor time of the supervised process of the microphone; 100 = one core"},
    {"rss", stats, microphone, gauge, memory, "jetkvm_microphone_process_memory_percent", "", "Resident memory of the supervised process of the microphone, of the machine's"},
    {"rss", stats, microphone, gauge, one, "jetkvm_microphone_process_memory_rss_bytes", "", "Resident memory of the supervised process of the microphone"},
    {"vms", stats, microphone, gauge, one, "jetkvm_microphone_process_memory_vms_bytes", "", "Address space of the supervised process of the microphone"},
    {"running", stats, microphone, gauge, one, "jetkvm_microphone_process_running", "", "Whether the supervised process of the microphone runs"},
    {"restarts", stats, any, counter, one, "jkvm_process_restarts_total", "", "Times that the supervised process was started again"},
    {"exits", stats, any, counter, one, "jkvm_process_ends_total", "reason=exit", "Times that the supervised process ended, by reason"},
    {"kills", stats, any, counter, one, "jkvm_process_ends_total", "reason=kill", ""},
    {"hangs", stats, any, counter, one, "jkvm_process_ends_total", "reason=hang", ""},
    {"failures", stats, any, counter, one, "jkvm_process_ends_total", "reason=failure", ""},

    {"quality", property, output, gauge, one, "jetkvm_audio_config_quality", "", "Quality preset of the output sound: 0 low, 1 medium, 2 high, 3 ultra, 4 custom"},
    {"bitrate", stats, output, gauge, bits, "jetkvm_audio_config_bitrate_kbps", "", "Bitrate that the encoder of the output sound has now, kbit/s"},
    {"rate", caps, output, gauge, one, "jetkvm_audio_config_sample_rate_hz", "", "Sample rate of the output sound at this element"},
    {"channels", caps, output, gauge, one, "jetkvm_audio_config_channels", "", "Channels of the output sound at this element"},
    {"quality", property, microphone, gauge, one, "jetkvm_microphone_config_quality", "", "Quality preset of the microphone: 0 low, 1 medium, 2 high, 3 ultra, 4 custom"},
    {"bitrate", stats, microphone, gauge, bits, "jetkvm_microphone_config_bitrate_kbps", "", "Bitrate that the encoder of the microphone has now, kbit/s"},
    {"rate", caps, microphone, gauge, one, "jetkvm_microphone_config_sample_rate_hz", "", "Sample rate of the microphone at this element"},
    {"channels", caps, microphone, gauge, one, "jetkvm_microphone_config_channels", "", "Channels of the microphone at this element"},

    {"frames", stats, any, counter, one, "jkvm_frames_total", "", "Opus frames, counted as the element's page says"},
    {"bytes", stats, any, counter, one, "jkvm_bytes_total", "", "Bytes of Opus in these frames"},
    {"unheard", stats, any, counter, one, "jkvm_frames_unheard_total", "", "Frames that came while no client was connected"},
    {"dropped-queue-full", stats, any, counter, one, "jkvm_frames_dropped_total", "reason=queue-full", "Frames that went no further, by reason"},
    {"dropped-disconnected", stats, any, counter, one, "jkvm_frames_dropped_total", "reason=disconnected", ""},
    {"dropped-invalid", stats, any, counter, one, "jkvm_frames_dropped_total", "reason=invalid", ""},
    {"dropped-too-large", stats, any, counter, one, "jkvm_frames_dropped_total", "reason=too-large", ""},
    {"dropped-early", stats, any, counter, one, "jkvm_frames_dropped_total", "reason=early", ""},
    {"dropped-late", stats, any, counter, one, "jkvm_frames_dropped_total", "reason=late", ""},
    {"dropped-shrink", stats, any, counter, one, "jkvm_frames_dropped_total", "reason=shrink", ""},
    {"dropped-shrink-quiet", stats, any, counter, one, "jkvm_frames_dropped_total", "reason=shrink-quiet", ""},
    {"dropped-max-delay", stats, any, counter, one, "jkvm_frames_dropped_total", "reason=max-delay", ""},
    {"dropped-overflow", stats, any, counter, one, "jkvm_frames_dropped_total", "reason=overflow", ""},
    {"dropped-new", stats, any, counter, one, "jkvm_frames_dropped_total", "reason=new", ""},
    {"lost", stats, any, counter, one, "jkvm_frames_lost_total", "", "Frames that never came, as the holes between the timestamps show"},
    {"implausible-timestamps", stats, any, counter, one, "jkvm_implausible_timestamps_total", "", "Frames whose capture time could not be believed"},
    {"connected", stats, any, gauge, one, "jkvm_connected", "", "Whether the other end is there: a peer of the socket, or the sound device"},
    {"connects", stats, any, counter, one, "jkvm_connects_total", "", "Connections made"},
    {"rejects", stats, any, counter, one, "jkvm_rejects_total", "", "Clients turned away"},
    {"protocol-errors", stats, any, counter, one, "jkvm_protocol_errors_total", "", "Connections ended for what the other end sent"},
    {"slow-clients", stats, any, counter, one, "jkvm_slow_clients_total", "", "Clients disconnected for being too slow"},
    {"latency-jitter", stats, any, gauge, nanoseconds, "jkvm_latency_jitter_seconds", "", "Mean distance of the last 100 latencies from their average"},
    {"latency-trend", stats, any, gauge, one, "jkvm_latency_trend", "", "Where the last 10 latencies go: the one that is 1"},

    {"device-state", stats, any, gauge, one, "jkvm_device_state", "", "What the sound device is doing: the one that is 1"},
    {"overruns", stats, any, counter, one, "jkvm_device_xruns_total", "", "Times that samples were lost because nobody read them in time"},
    {"lost-time", stats, any, counter, nanoseconds, "jkvm_device_lost_seconds_total", "", "Sound lost that way"},
    {"recoveries", stats, any, counter, one, "jkvm_device_recoveries_total", "", "Times that the sound device came back"},
    {"resyncs", stats, any, counter, one, "jkvm_device_resyncs_total", "", "Times that the timestamps jumped to the clock"},
    {"silent-frames", stats, any, counter, one, "jkvm_device_silent_frames_total", "", "Frames of silence in place of a sound device that was not there"},
    {"encode-time-p50", stats, any, gauge, nanoseconds, "jkvm_encode_time_seconds", "percentile=50", "How long the encoder takes for a frame, lately"},
    {"encode-time-p99", stats, any, gauge, nanoseconds, "jkvm_encode_time_seconds", "percentile=99", ""},
    {"pool-misses", stats, any, counter, one, "jkvm_pool_misses_total", "", "Times that the buffer pool had to allocate"},
    {"drift-ppm", stats, any, gauge, one, "jkvm_clock_drift_ppm", "", "Drift between two clocks, parts per million, as the element's page says"},

    {"current-delay", stats, any, gauge, nanoseconds, "jkvm_queue_delay_seconds", "", "Delay of the adaptive queue's output above the least transit"},
    {"target-delay", stats, any, gauge, nanoseconds, "jkvm_queue_target_delay_seconds", "", "Delay that the adaptive queue aims at"},
    {"depth", stats, any, gauge, one, "jkvm_queue_depth_frames", "", "Frames that wait in the adaptive queue"},
    {"underruns", stats, any, counter, one, "jkvm_queue_underruns_total", "", "Times that a frame was due and not there"},
    {"concealed", stats, any, counter, nanoseconds, "jkvm_queue_concealed_seconds_total", "", "Sound that the decoder had to make up in underruns"},
    {"lateness", stats, any, gauge, nanoseconds, "jkvm_queue_lateness_seconds", "", "How much later than it could the last frame came to the adaptive queue: what the optimizer goes by"},
    {"optimization_level", stats, any, gauge, one, "jkvm_optimization_level", "", "How much the encoder is asked to save, 0 to 8"},
    {"optimization_count", stats, any, counter, one, "jkvm_optimization_changes_total", "", "Changes of that level"},
});

constexpr std::array stages = std::to_array<StageMetric>({
    {"application/x-jkvm-audiosrc-stats", "encode-time", "encode", "how long the encoder takes for a frame"},
    {"application/x-jkvm-ipcsink-stats", "latency", "sink", "from the capture of a frame's first sample to jkvmipcsink"},
    {"application/x-jkvm-ipcsink-stats", "delivery", "ipc", "from the capture to the socket, each frame once for each client"},
    {"application/x-jkvm-ipcsrc-stats", "latency", "receiver", "from the capture to jkvmipcsrc, in this process"},
    {"application/x-jkvm-adaptivequeue-stats", "latency", "queue", "how long a frame stands in the queue"},
});
// clang-format on

} // namespace

std::span<const Metric> metric_table()
{
    return metrics;
}

std::span<const StageMetric> stage_table()
{
    return stages;
}

} // namespace jkvm
