// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core/base/result.h"

#include <system_error>

namespace jkvm {

Error system_error(ErrorKind kind, std::string subject, const std::string &call, int errno_value)
{
    std::string detail = call + ": " + std::generic_category().message(errno_value) + " (errno " +
                         std::to_string(errno_value) + ")";
    return Error{kind, std::move(subject), std::move(detail), errno_value};
}

} // namespace jkvm
