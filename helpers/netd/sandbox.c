#include "sandbox.h"

void sandbox_enter(void)
{
}
