// SPDX-License-Identifier: LGPL-2.1-or-later
#include "benchmarks/trace.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <optional>
#include <sstream>

namespace jkvm::benchmark {

namespace {

std::optional<std::string> read_all(const std::string &path)
{
    const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
    if (!file)
        return std::nullopt;
    std::string text;
    std::string chunk(1 << 16, '\0');
    int got = 0;
    while ((got = gzread(file.get(), chunk.data(), static_cast<unsigned>(chunk.size()))) > 0)
        text.append(chunk, 0, static_cast<std::size_t>(got));
    if (got < 0)
        return std::nullopt;
    return text;
}

std::optional<std::vector<nanoseconds>> parse_line(const std::string &line)
{
    std::vector<nanoseconds> values;
    std::istringstream fields(line);
    for (std::string field; std::getline(fields, field, ',');) {
        char *end = nullptr;
        const auto milliseconds = std::strtod(field.c_str(), &end);
        if (end == field.c_str() || !std::isfinite(milliseconds))
            return std::nullopt;
        values.emplace_back(std::llround(milliseconds * 1e6));
    }
    return values;
}

} // namespace

Result<Trace> read_trace(const std::string &path)
{
    const auto broken = [&path](const std::string &why) {
        return Error{ErrorKind::path_unusable, path, why};
    };
    const auto text = read_all(path);
    if (!text)
        return broken("cannot be read");
    Trace trace;
    std::istringstream lines(*text);
    std::string line;
    std::getline(lines, line);
    const bool has_reference = line.find("reference_ms") != std::string::npos;
    if (line.rfind("media_ms,arrival_ms", 0) != 0)
        return broken("the header must be media_ms,arrival_ms[,reference_ms]");
    while (std::getline(lines, line)) {
        const auto values = parse_line(line);
        if (!values || values->size() != (has_reference ? 3U : 2U))
            return broken("invalid line: " + line);
        const auto &v = *values;
        trace.push_back({v[0], v[1], has_reference ? v[2] : v[0]});
    }
    if (trace.empty())
        return broken("no frames");
    if (!std::is_sorted(trace.begin(), trace.end(),
                        [](const auto &a, const auto &b) { return a.arrival < b.arrival; }))
        return broken("arrivals are not sorted");
    if (!has_reference) {
        auto minimum = nanoseconds::max();
        for (const auto &frame : trace)
            minimum = std::min(minimum, frame.arrival - frame.media);
        for (auto &frame : trace)
            frame.reference += minimum;
    }
    return trace;
}

} // namespace jkvm::benchmark
