// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs a fuzz target once on each file of a corpus, without libFuzzer, so that any compiler can
// build it.
//
//     replay DIRECTORY|FILE...
#include "check.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <vector>

namespace {

void replay(const std::filesystem::path &path)
{
    // Printed before each run, so that a finding can be attributed to its input.
    std::fprintf(stderr, "%s\n", path.c_str());
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> text{std::istreambuf_iterator<char>(file), {}};
    jkvm::fuzz::check(!file.bad() && !text.empty(), "the file is readable and not empty");
    // An allocation of exactly that size lets the sanitizer detect reads past the end.
    const std::vector<std::uint8_t> bytes(text.begin(), text.end());
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

} // namespace

int main(int argc, char **argv)
{
    LLVMFuzzerTestOneInput(nullptr, 0);
    int count = 0;
    for (const std::filesystem::path path :
         std::span(argv, static_cast<std::size_t>(argc)).subspan(1)) {
        if (!std::filesystem::is_directory(path)) {
            replay(path);
            ++count;
            continue;
        }
        for (const auto &entry : std::filesystem::directory_iterator(path)) {
            replay(entry.path());
            ++count;
        }
    }
    std::printf("%d inputs\n", count);
    return count > 0 ? 0 : 1;
}
