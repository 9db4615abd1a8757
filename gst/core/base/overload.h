// SPDX-License-Identifier: LGPL-2.1-or-later
// Combines lambdas into one visitor for std::visit.
#pragma once

namespace jkvm {

/// std::visit with an Overload does not compile unless each alternative of the variant has a
/// handler, so do not add a handler that takes `auto`.
///
///     std::visit(Overload{[](const A &a) { ... }, [](const B &b) { ... }}, variant);
template <typename... Handlers>
struct Overload : Handlers... {
    using Handlers::operator()...;
};

// Implicit in C++20, but not in clang before version 17.
template <typename... Handlers>
Overload(Handlers...) -> Overload<Handlers...>;

} // namespace jkvm
