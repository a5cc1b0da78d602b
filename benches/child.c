/* The service that is started in measurements: tells when its main began, then waits.
 *
 * child                    exits 0 at once
 * child ID@wait@FIFO       reports, then waits until a signal ends it
 * child ID@fail@FIFO       reports, then exits 1
 *
 * One argument, so that "#!CHILD ID@wait@FIFO" is a whole run script. A report is one write of
 * `struct report`, small enough to be atomic on a FIFO.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct report {
	uint64_t nanoseconds; /* CLOCK_MONOTONIC, first statement of main */
	uint32_t id;
	int32_t pid;
};

int main(int count, char **argument)
{
	struct timespec began;
	clock_gettime(CLOCK_MONOTONIC, &began);
	if (count < 2)
		return 0;

	char *rest;
	struct report report = {
		.nanoseconds = (uint64_t)began.tv_sec * 1000000000u + (uint64_t)began.tv_nsec,
		.id = (uint32_t)strtoul(argument[1], &rest, 10),
		.pid = getpid(),
	};
	int fails = strncmp(rest, "@fail@", 6) == 0;
	if (!fails && strncmp(rest, "@wait@", 6) != 0)
		return 2;

	/* Read and write: opening never waits for a reader, and writing never meets a broken pipe. */
	int fifo = open(rest + 6, O_RDWR | O_CLOEXEC);
	if (fifo < 0 || write(fifo, &report, sizeof report) != sizeof report)
		return 3;
	close(fifo);
	while (!fails)
		pause();
	return 1;
}
