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

// docs/elements/generate.py makes the page's tables from these rows, which must be one line each.
// clang-format off
constexpr std::array metrics = std::to_array<Metric>({
    {"frames-received", stats, output, counter, one, "jetkvm_audio_frames_received_total", "", "Opus frames received, output"},
    {"frames-dropped", stats, output, counter, one, "jetkvm_audio_frames_dropped_total", "", "Frames dropped, output; per client that did not receive them"},
    {"bytes-processed", stats, output, counter, one, "jetkvm_audio_bytes_processed_total", "", "Bytes of Opus in the received frames, output"},
    {"connection-drops", stats, output, counter, one, "jetkvm_audio_connection_drops_total", "", "Connections that ended while the element was open, output"},
    {"average-latency", stats, output, gauge, nanoseconds, "jetkvm_audio_average_latency_seconds", "", "Running average of the time from capture to this element, output"},
    {"last-frame-time", stats, output, gauge, nanoseconds, "jetkvm_audio_last_frame_timestamp_seconds", "", "Arrival of the last frame, Unix time; 0 before the first; output"},
    {"processed_frames", stats, microphone, counter, one, "jetkvm_microphone_frames_sent_total", "", "Opus frames forwarded, microphone"},
    {"frames-dropped", stats, microphone, counter, one, "jetkvm_microphone_frames_dropped_total", "", "Frames dropped, microphone"},
    {"bytes-processed", stats, microphone, counter, one, "jetkvm_microphone_bytes_processed_total", "", "Bytes of Opus in the received frames, microphone"},
    {"connection-drops", stats, microphone, counter, one, "jetkvm_microphone_connection_drops_total", "", "Connections that ended while the element was open, microphone"},
    {"average-latency", stats, microphone, gauge, nanoseconds, "jetkvm_microphone_average_latency_seconds", "", "Running average of the time from capture to this element, microphone"},
    {"last-frame-time", stats, microphone, gauge, nanoseconds, "jetkvm_microphone_last_frame_timestamp_seconds", "", "Arrival of the last frame, Unix time; 0 before the first; microphone"},

    {"send-buffer", stats, output, gauge, one, "jetkvm_audio_socket_buffer_size_bytes", "component=audio-output buffer_type=send", "Size of a socket buffer as accounted by the kernel, maximum over all clients"},
    {"receive-buffer", stats, output, gauge, one, "jetkvm_audio_socket_buffer_size_bytes", "component=audio-output buffer_type=receive", ""},
    {"send-buffer", stats, microphone, gauge, one, "jetkvm_audio_socket_buffer_size_bytes", "component=audio-input buffer_type=send", ""},
    {"receive-buffer", stats, microphone, gauge, one, "jetkvm_audio_socket_buffer_size_bytes", "component=audio-input buffer_type=receive", ""},
    {"send-buffer-utilization", stats, output, gauge, one, "jetkvm_audio_socket_buffer_utilization_percent", "component=audio-output buffer_type=send", "Share of the socket buffer in use: send = now, by data that the slowest client has not read; receive = at the last read"},
    {"receive-buffer-utilization", stats, output, gauge, one, "jetkvm_audio_socket_buffer_utilization_percent", "component=audio-output buffer_type=receive", ""},
    {"send-buffer-utilization", stats, microphone, gauge, one, "jetkvm_audio_socket_buffer_utilization_percent", "component=audio-input buffer_type=send", ""},
    {"receive-buffer-utilization", stats, microphone, gauge, one, "jetkvm_audio_socket_buffer_utilization_percent", "component=audio-input buffer_type=receive", ""},
    {"dropped-queue-full", stats, output, counter, one, "jetkvm_audio_socket_buffer_overflow_total", "component=audio-output buffer_type=send", "Frames dropped because a client did not read earlier ones; the receiving end loses none"},
    {"dropped-queue-full", stats, microphone, counter, one, "jetkvm_audio_socket_buffer_overflow_total", "component=audio-input buffer_type=send", ""},

    {"input_buffer_size", stats, any, gauge, one, "jetkvm_adaptive_input_buffer_size_bytes", "", "Size of the adaptive buffer (frames, in spite of JetKVM's name)"},
    {"input_buffer_size", stats, any, gauge, one, "jkvm_adaptive_input_buffer_frames", "", "Size of the adaptive buffer in frames"},
    {"output_buffer_size", stats, any, gauge, one, "jetkvm_adaptive_output_buffer_size_bytes", "", "Size of the adaptive buffer (frames, in spite of JetKVM's name)"},
    {"output_buffer_size", stats, any, gauge, one, "jkvm_adaptive_output_buffer_frames", "", "Size of the adaptive buffer in frames"},
    {"adaptation_count", stats, any, counter, one, "jetkvm_adaptive_buffer_adjustments_total", "", "Changes of the adaptive buffer's size"},
    {"system_cpu_percent", stats, any, gauge, one, "jetkvm_adaptive_system_cpu_percent", "", "Processor load of the machine"},
    {"system_memory_percent", stats, any, gauge, one, "jetkvm_adaptive_system_memory_percent", "", "Memory load of the machine"},

    {"cpu-percent", stats, output, gauge, one, "jetkvm_audio_process_cpu_percent", "", "Processor time of the worker process; 100 = one core; output"},
    {"rss", stats, output, gauge, memory, "jetkvm_audio_process_memory_percent", "", "Resident memory of the worker process, share of the machine's memory; output"},
    {"rss", stats, output, gauge, one, "jetkvm_audio_process_memory_rss_bytes", "", "Resident memory of the worker process, output"},
    {"vms", stats, output, gauge, one, "jetkvm_audio_process_memory_vms_bytes", "", "Address space of the worker process, output"},
    {"running", stats, output, gauge, one, "jetkvm_audio_process_running", "", "Whether the worker process runs, output"},
    {"cpu-percent", stats, microphone, gauge, one, "jetkvm_microphone_process_cpu_percent", "", "Processor time of the worker process; 100 = one core; microphone"},
    {"rss", stats, microphone, gauge, memory, "jetkvm_microphone_process_memory_percent", "", "Resident memory of the worker process, share of the machine's memory; microphone"},
    {"rss", stats, microphone, gauge, one, "jetkvm_microphone_process_memory_rss_bytes", "", "Resident memory of the worker process, microphone"},
    {"vms", stats, microphone, gauge, one, "jetkvm_microphone_process_memory_vms_bytes", "", "Address space of the worker process, microphone"},
    {"running", stats, microphone, gauge, one, "jetkvm_microphone_process_running", "", "Whether the worker process runs, microphone"},
    {"restarts", stats, any, counter, one, "jkvm_process_restarts_total", "", "Restarts of the worker process"},
    {"exits", stats, any, counter, one, "jkvm_process_ends_total", "reason=exit", "Ends of the worker process, by reason"},
    {"kills", stats, any, counter, one, "jkvm_process_ends_total", "reason=kill", ""},
    {"hangs", stats, any, counter, one, "jkvm_process_ends_total", "reason=hang", ""},
    {"failures", stats, any, counter, one, "jkvm_process_ends_total", "reason=failure", ""},

    {"quality", property, output, gauge, one, "jetkvm_audio_config_quality", "", "Quality preset, output: 0 low, 1 medium, 2 high, 3 ultra, 4 custom"},
    {"bitrate", stats, output, gauge, bits, "jetkvm_audio_config_bitrate_kbps", "", "Current bitrate of the encoder (kbit/s), output"},
    {"rate", caps, output, gauge, one, "jetkvm_audio_config_sample_rate_hz", "", "Sample rate at this element, output"},
    {"channels", caps, output, gauge, one, "jetkvm_audio_config_channels", "", "Channels at this element, output"},
    {"quality", property, microphone, gauge, one, "jetkvm_microphone_config_quality", "", "Quality preset, microphone: 0 low, 1 medium, 2 high, 3 ultra, 4 custom"},
    {"bitrate", stats, microphone, gauge, bits, "jetkvm_microphone_config_bitrate_kbps", "", "Current bitrate of the encoder (kbit/s), microphone"},
    {"rate", caps, microphone, gauge, one, "jetkvm_microphone_config_sample_rate_hz", "", "Sample rate at this element, microphone"},
    {"channels", caps, microphone, gauge, one, "jetkvm_microphone_config_channels", "", "Channels at this element, microphone"},

    {"frames", stats, any, counter, one, "jkvm_frames_total", "", "Opus frames, as defined on the element's page"},
    {"bytes", stats, any, counter, one, "jkvm_bytes_total", "", "Bytes of Opus in these frames"},
    {"unheard", stats, any, counter, one, "jkvm_frames_unheard_total", "", "Frames that arrived while no client was connected"},
    {"dropped-queue-full", stats, any, counter, one, "jkvm_frames_dropped_total", "reason=queue-full", "Frames dropped, by reason"},
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
    {"dropped-no-device", stats, any, counter, one, "jkvm_frames_dropped_total", "reason=no-device", ""},
    {"dropped-flush", stats, any, counter, one, "jkvm_frames_dropped_total", "reason=flush", ""},
    {"lost", stats, any, counter, one, "jkvm_frames_lost_total", "", "Frames that never arrived, derived from gaps between timestamps"},
    {"muted", stats, any, counter, one, "jkvm_frames_muted_total", "", "Frames that jkvmipcsink or jkvmipcsrc replaced by silence because of mute"},
    {"implausible-timestamps", stats, any, counter, one, "jkvm_implausible_timestamps_total", "", "Frames with an implausible capture time"},
    {"connected", stats, any, gauge, one, "jkvm_connected", "", "Whether the peer of the socket, or the audio device, is connected"},
    {"connects", stats, any, counter, one, "jkvm_connects_total", "", "Connections made"},
    {"rejects", stats, any, counter, one, "jkvm_rejects_total", "", "Clients rejected"},
    {"protocol-errors", stats, any, counter, one, "jkvm_protocol_errors_total", "", "Connections closed because of invalid data"},
    {"slow-clients", stats, any, counter, one, "jkvm_slow_clients_total", "", "Clients disconnected for being too slow"},
    {"latency-jitter", stats, any, gauge, nanoseconds, "jkvm_latency_jitter_seconds", "", "Mean deviation of the last 100 latencies from their average"},
    {"latency-trend", stats, any, gauge, one, "jkvm_latency_trend", "", "Trend of the last 10 latencies: the state whose value is 1"},

    {"device-state", stats, any, gauge, one, "jkvm_device_state", "", "State of the audio device: the state whose value is 1"},
    {"overruns", stats, any, counter, one, "jkvm_device_xruns_total", "", "Overruns: losses of samples that were not read in time"},
    {"lost-time", stats, any, counter, nanoseconds, "jkvm_device_lost_seconds_total", "", "Duration of the lost audio"},
    {"recoveries", stats, any, counter, one, "jkvm_device_recoveries_total", "", "Times that audio returned from the device"},
    {"resyncs", stats, any, counter, one, "jkvm_device_resyncs_total", "", "Times that timestamps were resynchronised with the clock"},
    {"silent-frames", stats, any, counter, one, "jkvm_device_silent_frames_total", "", "Frames of silence sent while the audio device was unavailable"},
    {"encode-time-p50", stats, any, gauge, nanoseconds, "jkvm_encode_time_seconds", "percentile=50", "Recent encoding time of a frame"},
    {"encode-time-p99", stats, any, gauge, nanoseconds, "jkvm_encode_time_seconds", "percentile=99", ""},
    {"pool-misses", stats, any, counter, one, "jkvm_pool_misses_total", "", "Allocations because the buffer pool was empty"},
    {"drift-ppm", stats, any, gauge, one, "jkvm_clock_drift_ppm", "", "Drift between two clocks (ppm), as defined on the element's page"},
    {"measured-rate", stats, any, gauge, one, "jkvm_device_rate_hz", "", "Sample rate of the capture device, measured if it differs from the reported one"},

    {"underruns", sink, any, counter, one, "jkvm_playback_underruns_total", "", "Underruns: times that the playback device ran out of audio"},
    {"concealed", sink, any, counter, nanoseconds, "jkvm_playback_concealed_seconds_total", "", "Duration of the audio that was concealed"},
    {"fec-recovered", sink, any, counter, nanoseconds, "jkvm_playback_fec_recovered_seconds_total", "", "Duration of the audio recovered from in-band FEC"},
    {"realignments", sink, any, counter, one, "jkvm_playback_realignments_total", "", "Playout errors that were corrected at once, by silence or by dropping audio"},
    {"depth", sink, any, gauge, nanoseconds, "jkvm_playback_depth_seconds", "", "Audio written to the playback device and not yet played"},
    {"ring-target", sink, any, gauge, nanoseconds, "jkvm_playback_ring_target_seconds", "", "Audio that the playback device's ring holds when a packet is written"},
    {"device-latency", sink, any, gauge, nanoseconds, "jkvm_playback_latency_seconds", "", "Render delay of jkvmaudiosink"},
    {"ratio-ppm", sink, any, gauge, one, "jkvm_playback_ratio_ppm", "", "Deviation of the resampling ratio from its nominal value (ppm)"},
    {"playout-error-us", sink, any, gauge, microseconds, "jkvm_playback_error_seconds", "", "Playout time less due time of the last packet"},
    {"playout-error-p95-us", sink, any, gauge, microseconds, "jkvm_playback_error_p95_seconds", "", "95th percentile of the absolute playout error"},

    {"current-delay", stats, any, gauge, nanoseconds, "jkvm_queue_delay_seconds", "", "Delay of the adaptive queue's output above the minimum transit"},
    {"target-delay", stats, any, gauge, nanoseconds, "jkvm_queue_target_delay_seconds", "", "Target delay of the adaptive queue"},
    {"depth", queue, any, gauge, one, "jkvm_queue_depth_frames", "", "Frames in the adaptive queue"},
    {"underruns", queue, any, counter, one, "jkvm_queue_underruns_total", "", "Underruns: times that no frame was available when one was due"},
    {"concealed", queue, any, counter, nanoseconds, "jkvm_queue_concealed_seconds_total", "", "Duration that the decoder concealed in underruns"},
    {"lateness", stats, any, gauge, nanoseconds, "jkvm_queue_lateness_seconds", "", "Delay of the last frame above the minimum transit, as used by the optimizer"},
    {"optimization_level", stats, any, gauge, one, "jkvm_optimization_level", "", "Reduction requested from the encoder, 0 to 8"},
    {"optimization_count", stats, any, counter, one, "jkvm_optimization_changes_total", "", "Changes of the optimization level"},
});

constexpr std::array stages = std::to_array<StageMetric>({
    {"application/x-jkvm-audiosrc-stats", "encode-time", "encode", "encoding time of a frame"},
    {"application/x-jkvm-ipcsink-stats", "latency", "sink", "from the capture of a frame's first sample to jkvmipcsink"},
    {"application/x-jkvm-ipcsink-stats", "delivery", "ipc", "from the capture to the socket, once per frame and client"},
    {"application/x-jkvm-ipcsrc-stats", "latency", "receiver", "from the capture to jkvmipcsrc, in this process"},
    {"application/x-jkvm-adaptivequeue-stats", "latency", "queue", "time of a frame in the queue"},
    {"application/x-jkvm-audiosink-stats", "latency", "playout", "from the capture to the playout by the audio device"},
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
