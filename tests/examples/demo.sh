#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Demonstrates the audio path of a KVM on one machine: one process captures audio from an ALSA
# device, encodes it to Opus and serves it on a socket; another process receives it and writes an
# Ogg and a WAV file. `./jkvm demo` builds the plugins and runs this script in an environment in
# which GStreamer and ALSA find them.
#
# Functions that are called while signals are trapped return text in REPLY: bash 5.2 sometimes fails
# to parse a trap's command when the signal arrives during a command substitution.
set -euo pipefail

export LC_ALL=C.UTF-8 LANGUAGE= # this script parses the untranslated output of gst-launch-1.0

readonly frames_per_second=50 # a frame of jkvmaudiosrc is 20 ms
readonly start_timeout=30     # s for the capture to start; GStreamer may scan all plugins first
readonly silence_timeout=10   # s without a frame after which the device is considered dead
readonly stop_timeout=5       # s for a process to end by itself
readonly bar_width=20         # characters
readonly bar_floor=60         # dB below full scale, where the bar is empty

device=      # empty: the virtual test device
device_name= # for messages
seconds=10
output=out
is_check=no # yes: check the options only

work=           # temporary directory with the speech, the socket and the logs
sender=         # process id
receiver=       # process id
exit_status=0   # of this script
stop_by=0       # deadline for the receiver's end, in $SECONDS; 0 until it is told to end
last_progress=0 # arrival of the last frame, in $SECONDS

# The receiver's most recent statistics.
frames=0
lost=0
connects=0
latency_current=0
latency_average=0
latency_max=0

print_help() {
    cat <<'HELP'
usage: ./jkvm demo [--device DEVICE] [--seconds N] [--output DIRECTORY]

Captures audio, encodes it to Opus and sends it over a Unix socket to another process, which records
it as audio.ogg and audio.wav.

  --device DEVICE      ALSA capture device, such as hw:0,0 (arecord -l lists them); by default a
                       virtual device that plays speech, so that no sound card is needed
  --seconds N          duration of the recording, 1 to 3600; default 10
  --output DIRECTORY   directory for the two files; default "out"

Ctrl-C stops the recording early and leaves both files complete.
HELP
}

reject_usage() {
    printf 'demo: %s; --help lists the options.\n' "$1" >&2
    exit 2
}

die() {
    printf 'demo: %s\n' "$1" >&2
    exit 1
}

parse_options() {
    local option value
    while (($# > 0)); do
        option=$1
        shift
        case $option in
            -h | --help)
                print_help
                exit 0
                ;;
            --check-options) # used by ./jkvm to reject invalid options before it builds anything
                is_check=yes
                continue
                ;;
            --device=* | --seconds=* | --output=*)
                value=${option#*=}
                option=${option%%=*}
                ;;
            --device | --seconds | --output)
                (($# > 0)) || reject_usage "$option needs a value"
                value=$1
                shift
                ;;
            *) reject_usage "unknown option \"$option\"" ;;
        esac
        [[ -n $value ]] || reject_usage "$option needs a value"
        case $option in
            --device) device=$value ;;
            --output) output=$value ;;
            --seconds)
                if [[ ! $value =~ ^[1-9][0-9]{0,3}$ ]] || ((value > 3600)); then
                    reject_usage "--seconds takes a whole number from 1 to 3600, not \"$value\""
                fi
                seconds=$value
                ;;
        esac
    done
}

# --- processes ------------------------------------------------------------------------------------

is_alive() {
    [[ -n $1 ]] && kill -0 "$1" 2>/dev/null
}

send() {
    if is_alive "$2"; then
        kill "-$1" "$2" 2>/dev/null || true
    fi
}

# Runs a program that is terminated when this script dies, and in its own session, so that Ctrl-C in
# the terminal reaches this script only.
launch() {
    exec setpriv --pdeathsig TERM setsid "$@"
}

# Waits for a process to end, kills it after stop_timeout, and returns its exit status.
await_end() {
    local give_up=$((SECONDS + stop_timeout)) status=0
    while is_alive "$1" && ((SECONDS < give_up)); do
        sleep 0.05
    done
    send KILL "$1"
    wait "$1" 2>/dev/null || status=$?
    return "$status"
}

# Ends all processes and removes the temporary directory on every exit.
# shellcheck disable=SC2317 # called by a trap
clean_up() {
    trap '' INT TERM HUP PIPE
    local process
    for process in $(jobs -p); do
        send TERM "$process"
        await_end "$process" || true
    done
    [[ -z $work ]] || rm -rf -- "$work"
}

# Tells the receiver to stop. Its first SIGINT ends the stream and completes the files; a second one
# would leave them incomplete.
stop_receiver() {
    ((stop_by == 0)) || return 0
    stop_by=$((SECONDS + stop_timeout))
    if ((frames > 0)); then
        send INT "$receiver"
    else
        send TERM "$receiver" # has nothing to complete, and may not handle SIGINT yet
    fi
}

# shellcheck disable=SC2317 # called by a trap
on_signal() {
    exit_status=$1
    if [[ -z $receiver ]]; then
        printf '\nStopped before anything was recorded.\n' || true
        exit "$exit_status"
    fi
    if ((stop_by > 0)); then
        send KILL "$receiver" # the second signal
    fi
    stop_receiver
}

# Prints the errors from the log $1 of a gst-launch-1.0 process, without its progress messages and
# without follow-up errors.
print_errors() {
    local is_error=no is_explained=no line
    while IFS= read -r line; do
        case $line in
            *"doesn't want to preroll"*) break ;;
            ERROR* | WARNING*) is_error=yes ;;
            Setting* | Freeing* | Execution* | Pipeline* | Redistribute* | "New clock"*)
                is_error=no
                ;;
        esac
        [[ $is_error == no ]] || printf '    %s\n' "$line"
        [[ $is_error == no ]] || is_explained=yes
    done <"$1" >&2
    [[ $is_explained == yes ]] || tail -n 20 -- "$1" >&2
    if grep -q 'no element "jkvm' "$1"; then
        printf 'GST_PLUGIN_PATH does not contain the jkvm plugins; use ./jkvm demo.\n' >&2
    fi
}

report_failure() {
    printf 'demo: %s\n' "$1" >&2
    exit_status=1
}

# $1: the activity that failed, $2: the exit status of its process, $3: its log.
report_failed_process() {
    if (($2 > 128 && $2 < 192)); then # gst-launch-1.0 itself returns 255 on errors
        report_failure "$1 was terminated by signal $(($2 - 128))."
    else
        report_failure "$1 failed:"
    fi
    print_errors "$3"
}

# --- preparation ----------------------------------------------------------------------------------

check_tools() {
    local tool
    for tool in gst-launch-1.0 setpriv setsid; do
        command -v "$tool" >/dev/null || die "the program $tool is not installed."
    done
}

prepare_directories() {
    local error
    error=$(mkdir -p -- "$output" 2>&1) ||
        die "cannot create the output directory: ${error#mkdir: }."
    [[ -w $output && -x $output ]] || die "the output directory \"$output\" is not writable."
    # Not in TMPDIR: a socket path is limited to 107 bytes.
    work=$(mktemp -d /tmp/jkvm-demo.XXXXXX)
}

# Makes the file that the test device plays: the words of Debian's speaker test ("Front Left", "Rear
# Right" and so on).
make_speech() {
    local words=() word pipeline=()
    shopt -s nullglob
    words=(/usr/share/sounds/alsa/*_*.wav)
    shopt -u nullglob
    ((${#words[@]} > 0)) ||
        die "no speech files in /usr/share/sounds/alsa; install the Debian package alsa-utils."
    for word in "${words[@]}"; do
        pipeline+=(filesrc "location=$word" ! wavparse ! speech.)
    done
    if ! gst-launch-1.0 -q concat name=speech ! wavenc ! filesink "location=$work/speech.wav" \
        "${pipeline[@]}" >"$work/speech.log" 2>&1; then
        report_failed_process "preparing the speech for the test device" 1 "$work/speech.log"
        exit "$exit_status"
    fi
}

# Reads a list in the format of /proc/asound/pcm and prints a demo command for each capture device.
print_capture_devices() {
    local line name heading='To record from a sound card of this machine instead:\n'
    while IFS= read -r line; do
        [[ $line =~ ^([0-9]+)-([0-9]+):\ ([^:]*[^:\ ])\ *:.*capture ]] || continue
        name="hw:$((10#${BASH_REMATCH[1]})),$((10#${BASH_REMATCH[2]}))"
        printf '%b    ./jkvm demo --device %-8s # %s\n' "$heading" "$name" "${BASH_REMATCH[3]}"
        heading=
    done
}

choose_device() {
    if [[ -n $device ]]; then
        device_name=$device
        printf 'Source: the ALSA device %s\n' "$device"
        return
    fi
    make_speech
    device="jkvmtest:FILE=$work/speech.wav"
    device_name="the test device"
    printf 'Source: the test device, which plays speech in real time; no sound card is needed.\n'
    [[ ! -r /proc/asound/pcm ]] || print_capture_devices </proc/asound/pcm
}

# Quotes the value of a property for gst-launch-1.0.
quote_for_gst() {
    REPLY=$1
    if [[ ! $REPLY =~ ^[A-Za-z0-9_./:=,@+-]*$ ]]; then
        REPLY=${REPLY//\\/\\\\}
        REPLY=\"${REPLY//\"/\\\"}\"
    fi
}

# Prints a command with shell quoting.
print_command() {
    local word
    printf '   '
    for word in "$@"; do
        if [[ $word =~ ^[A-Za-z0-9_./:=,@+!-]+$ ]]; then
            printf ' %s' "$word"
        else
            printf ' %q' "$word"
        fi
    done
    printf '\n'
}

start_sender() {
    local command
    quote_for_gst "$device"
    command=(gst-launch-1.0 jkvmaudiosrc "device=$REPLY" on-device-lost=error
        ! jkvmipcsink "socket-path=$work/audio.sock")
    printf '\nOne process captures, encodes and serves the audio:\n'
    print_command "${command[@]}"
    : >"$work/sender.log"
    launch "${command[@]}" >"$work/sender.log" 2>&1 &
    sender=$!
}

# Waits until the device is open, so that a failure does not overwrite the files of an earlier run.
await_sender() {
    local give_up=$((SECONDS + start_timeout)) status=0
    until grep -q 'to PLAYING' "$work/sender.log"; do
        if ! is_alive "$sender" || ((SECONDS >= give_up)); then
            await_end "$sender" || status=$?
            report_failed_process "capturing from $device_name" "$status" "$work/sender.log"
            [[ $device == jkvmtest:* ]] ||
                printf 'arecord -l and arecord -L list the capture devices of this machine.\n' >&2
            exit "$exit_status"
        fi
        sleep 0.05
    done
}

start_receiver() {
    local ogg wav command
    quote_for_gst "$output/audio.ogg"
    ogg=$REPLY
    quote_for_gst "$output/audio.wav"
    wav=$REPLY
    # With statistics for every frame, the last message covers the whole run. A recording tolerates
    # delay, so a large minimum avoids late frames; for live playback omit min-delay.
    command=(gst-launch-1.0 -e -m
        jkvmipcsrc "socket-path=$work/audio.sock" "num-buffers=$((seconds * frames_per_second))"
        stats-interval=10 ! tee name=t
        t. ! queue ! oggmux ! filesink "location=$ogg"
        t. ! jkvmadaptivequeue min-delay=200 ! opusdec plc=true ! audioconvert
        ! level interval=200000000 ! wavenc ! filesink "location=$wav")
    printf '\nAnother process receives and records it:\n'
    print_command "${command[@]}"
    printf '\n'
    mkfifo "$work/messages"
    launch "${command[@]}" >"$work/messages" 2>"$work/receiver.log" &
    receiver=$!
    exec {messages}<"$work/messages"
}

# --- while it runs --------------------------------------------------------------------------------

# Formats nanoseconds as milliseconds.
format_milliseconds() {
    REPLY="$(($1 / 1000000)).$(($1 / 100000 % 10)) ms"
}

# Sets the variable $1 to the field $2 of the message $3, if it has that field.
read_count() {
    [[ $3 =~ \ $2=\(guint64\)([0-9]+) ]] || return 0
    printf -v "$1" '%s' "${BASH_REMATCH[1]}"
}

read_statistics() {
    local before=$frames
    read_count frames frames "$1"
    read_count lost lost "$1"
    read_count connects connects "$1"
    read_count latency_current latency-current "$1"
    read_count latency_average latency-average "$1"
    read_count latency_max latency-max "$1"
    ((frames == before)) || last_progress=$SECONDS
}

# Returns the peak of the loudest channel from a message of the element level, in whole dBFS.
peak_of() {
    local peak loudest=-99 value
    REPLY=$loudest
    [[ $1 =~ peak=\(GValueArray\)\<\ ([^\>]*)\ \> ]] || return 0
    for value in ${BASH_REMATCH[1]//,/ }; do
        case $value in
            *e-*) peak=0 ;; # almost 0 dB, in exponential notation
            *[!0-9.-]*) continue ;;
            *) peak=${value%%.*} ;;
        esac
        ((peak <= loudest)) || loudest=$peak
    done
    REPLY=$loudest
}

bar_of() {
    local filled=$(((bar_floor + $1) * bar_width / bar_floor)) full empty
    ((filled >= 0)) || filled=0
    ((filled <= bar_width)) || filled=$bar_width
    printf -v full '%*s' "$filled" ''
    printf -v empty '%*s' "$((bar_width - filled))" ''
    REPLY="[${full// /#}${empty// /-}]"
}

shown_second=0
has_live_line=no # yes: the cursor is at the end of the status line

show_level() {
    local level line elapsed=$((frames * 10 / frames_per_second)) # tenths of a second
    peak_of "$1"
    level=$REPLY
    bar_of "$level"
    printf -v line '%4d.%d s  %s' "$((elapsed / 10))" "$((elapsed % 10))" "$REPLY"
    ((level >= -bar_floor)) || level="<-$bar_floor"
    printf -v REPLY ' %4s dB' "$level"
    line+=$REPLY
    format_milliseconds "$latency_current"
    line+="  latency $REPLY"
    format_milliseconds "$latency_average"
    line+=" (average $REPLY)  lost $lost"
    ((connects <= 1)) || line+="  reconnects $((connects - 1))"
    if [[ -t 1 ]]; then
        printf '\r%s\033[K' "$line"
        has_live_line=yes
    elif ((elapsed / 10 > shown_second)); then
        shown_second=$((elapsed / 10))
        printf '%s\n' "$line"
    fi
}

on_message() {
    case $1 in
        *"application/x-jkvm-ipcsrc-stats"*) read_statistics "$1" ;;
        *"(element): level,"*"duration=(guint64)0,"*) ;; # empty, at the end of the stream
        *"(element): level,"*) show_level "$1" ;;
    esac
}

watch_processes() {
    local status=0
    if ((stop_by > 0)); then
        ((SECONDS <= stop_by)) || send KILL "$receiver"
    elif ! is_alive "$sender"; then
        await_end "$sender" || status=$?
        end_live_line
        report_failed_process "capturing from $device_name" "$status" "$work/sender.log"
        stop_receiver
    elif ((SECONDS - last_progress > silence_timeout)); then
        end_live_line
        report_failure "received no audio from $device_name for $silence_timeout s."
        stop_receiver
    fi
}

# Ends the status line, so that the next output starts on a new line.
end_live_line() {
    [[ $has_live_line == no ]] || printf '\n'
    has_live_line=no
}

# Processes the receiver's messages until it closes its output, that is, until it ends.
follow_receiver() {
    local line partial=''
    last_progress=$SECONDS
    while true; do
        if IFS= read -r -t 0.5 line <&"$messages"; then
            on_message "$partial$line"
            partial=
        elif (($? > 128)); then
            partial+=$line # timeout, or a signal was handled
            watch_processes
        else
            break
        fi
    done
    end_live_line
}

finish() {
    local status=0
    await_end "$receiver" || status=$?
    send INT "$sender"
    await_end "$sender" || true
    if ((status != 0 && exit_status == 0)); then
        report_failed_process "recording" "$status" "$work/receiver.log"
    fi
}

# --- summary --------------------------------------------------------------------------------------

# Prints the unsigned little-endian number of $3 bytes at offset $2 of the file $1.
number_at() {
    local number
    number=$(od -An --endian=little "-tu$3" "-j$2" "-N$3" -- "$1")
    printf '%s' "${number// /}"
}

# Prints the duration of the WAV file $1 of $2 bytes in ms, or nothing if the file is incomplete.
wav_length() {
    local size=$2 header=44 rate bytes
    ((size > header)) || return 0
    rate=$(number_at "$1" 28 4)
    bytes=$(number_at "$1" 40 4)
    ((rate == 0 || bytes != size - header)) || printf '%d' "$((bytes * 1000 / rate))"
}

# Prints the duration of an Ogg file in the same way. The last page has the end-of-stream flag and the sample count at
# 48 kHz, which includes the pre-skip from the header (offset 10 in the packet at offset 28 of the
# first page).
ogg_length() {
    local size=$2 longest_page=65307 start page skip flags samples
    start=$((size > longest_page ? size - longest_page : 0))
    page=$(tail -c "+$((start + 1))" -- "$1" | LC_ALL=C grep -abo OggS | tail -n 1 || true)
    [[ -n $page ]] || return 0
    page=$((start + ${page%%:*}))
    flags=$(number_at "$1" "$((page + 5))" 1)
    samples=$(number_at "$1" "$((page + 6))" 8)
    skip=$(number_at "$1" 38 2)
    (((flags & 4) == 0)) || printf '%d' "$(((samples - skip) / 48))"
}

summarize_file() {
    local file=$1 size length=''
    [[ -e $file ]] || return 0
    size=$(stat -c %s -- "$file")
    if ((size == 0)); then
        rm -f -- "$file"
        return
    fi
    case $file in
        *.ogg) length=$(ogg_length "$file" "$size") ;;
        *.wav) length=$(wav_length "$file" "$size") ;;
    esac
    if [[ -n $length ]]; then
        length=$(printf '%d.%02d s' "$((length / 1000))" "$((length % 1000 / 10))")
    else
        length=incomplete
        are_complete=no
    fi
    printf '    %-24s %10s %8d kB   %s\n' "$file" "$length" "$(((size + 500) / 1000))" "$2"
}

summarize() {
    local early=$((frames - seconds * frames_per_second)) are_complete=yes
    if ((frames == 0)); then
        printf 'Nothing was recorded.\n'
        [[ -s $output/audio.ogg ]] || rm -f -- "$output/audio.ogg"
        [[ -s $output/audio.wav ]] || rm -f -- "$output/audio.wav"
        return
    fi
    if ((exit_status > 128)); then
        printf 'Stopped early.'
    elif ((exit_status > 0)); then
        printf 'Failed.'
    else
        printf 'Done.'
    fi
    printf ' The recordings:\n'
    summarize_file "$output/audio.ogg" "Opus as received"
    summarize_file "$output/audio.wav" "decoded"
    printf 'Frames of 20 ms: %d received' "$frames"
    ((early <= 0)) || printf ' (%d before the recording started)' "$early"
    printf ', %d lost.\n' "$lost"
    format_milliseconds "$latency_average"
    printf 'Latency from capture to the receiving process: average %s, ' "$REPLY"
    format_milliseconds "$latency_max"
    printf 'maximum %s.\n' "$REPLY"
    [[ $are_complete == yes ]] || return 0
    printf 'To listen: aplay %q, or open either file in ffplay, VLC or a browser.\n' \
        "$output/audio.wav"
}

main() {
    parse_options "$@"
    [[ $is_check == no ]] || return 0
    check_tools
    trap clean_up EXIT
    prepare_directories
    trap 'on_signal 129' HUP
    trap 'on_signal 130' INT
    trap 'on_signal 143' TERM
    choose_device
    start_sender
    await_sender
    start_receiver
    follow_receiver
    finish
    trap '' HUP INT TERM # only the summary is left
    summarize
}

main "$@"
exit "$exit_status"
