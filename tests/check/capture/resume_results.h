// SPDX-License-Identifier: LGPL-2.1-or-later
// Sets the results of snd_pcm_resume(). The test PCM cannot: alsa-lib ignores what an I/O plugin's
// resume returns.
#pragma once

#include <cstddef>
#include <vector>

namespace jkvm::testing {

/// The next calls of snd_pcm_resume() in this process return these values and do nothing; later
/// calls are real.
void set_resume_results(const std::vector<int> &results);
std::size_t resume_results_left();

} // namespace jkvm::testing
