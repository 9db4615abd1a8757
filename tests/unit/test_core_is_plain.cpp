// SPDX-License-Identifier: LGPL-2.1-or-later
// Checks that the core can be used and tested without GLib and GStreamer.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>

namespace {

TEST(Core, IncludesNoHeaderOfGLibOrGStreamer)
{
    const std::filesystem::path core = JKVM_CORE_SOURCE;
    const std::regex foreign(R"(\s*#\s*include\s*[<"](glib|gst/|gio/|gmodule|common/))");
    int files = 0;
    for (const auto &entry : std::filesystem::recursive_directory_iterator(core)) {
        if (entry.path().extension() != ".h" && entry.path().extension() != ".cpp")
            continue;
        ++files;
        std::ifstream file(entry.path());
        for (std::string line; std::getline(file, line);)
            EXPECT_FALSE(std::regex_search(line, foreign)) << entry.path() << ": " << line;
    }
    EXPECT_GT(files, 10) << "no sources found in " << core;
}

} // namespace
