// SPDX-License-Identifier: LGPL-2.1-or-later
// A temporary directory for one test, which is removed with its contents at the end.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace jkvm::testing {

class TemporaryDirectory {
public:
    TemporaryDirectory()
    {
        auto name = (std::filesystem::temp_directory_path() / "jkvm-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr)
            std::abort();
        path_ = name;
    }
    TemporaryDirectory(const TemporaryDirectory &) = delete;
    TemporaryDirectory &operator=(const TemporaryDirectory &) = delete;
    ~TemporaryDirectory()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] const std::filesystem::path &path() const { return path_; }
    /// Returns the path of a file in the directory.
    [[nodiscard]] std::string file(const std::string &name) const
    {
        return (path_ / name).string();
    }

private:
    std::filesystem::path path_;
};

} // namespace jkvm::testing
