// SPDX-License-Identifier: LGPL-2.1-or-later
// Flags and enum types of properties; included until all elements use PropertyTable.
#pragma once

#include "common/property_value.h"
