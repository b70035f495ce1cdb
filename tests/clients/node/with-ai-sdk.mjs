// Vercel's AI SDK against a gateway, by three of its providers; prints one JSON object with what came back.
// Run by tests/clients/test_ai_sdk.py: node with-ai-sdk.mjs NODE_MODULES_FOLDER ASKED; what is asked is JSON.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { argv } from 'node:process';

const require = createRequire(join(argv[2], 'package.json'));
const { APICallError, Output, generateObject, generateText, isStepCount, streamText, tool } = require('ai');
const { createOpenAI } = require('@ai-sdk/openai');
const { createOpenAICompatible } = require('@ai-sdk/openai-compatible');
const { createOpenRouter } = require('@openrouter/ai-sdk-provider');
const { z } = require('zod');
const { url: baseURL, key: apiKey, model, older } = JSON.parse(argv[3]);

const prompt = 'What is the weather?';
const schema = z.object({ city: z.string(), degrees: z.number() });
const tools = {
  weather: tool({
    description: 'Weather of a city',
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => `rain in ${city}`,
  }),
};
const settings = { maxRetries: 0, stopWhen: isStepCount(5) };

const compatible = (key = apiKey) =>
  createOpenAICompatible({
    name: 'clearway',
    baseURL,
    apiKey: key,
    includeUsage: true,
    supportsStructuredOutputs: true,
  });
const openrouter = createOpenRouter({
  baseURL,
  apiKey,
  compatibility: 'strict', // otherwise it does not ask a stream for its usage
  headers: { 'x-clearway-reasoning': 'openrouter' },
});
const providers = {
  openai: createOpenAI({ baseURL, apiKey }).chat(model),
  compatible: compatible().chatModel(model),
  openrouter: openrouter.chat(model),
};

const gist = async (said) => ({
  text: await said.text,
  thoughts: (await said.steps).map((step) => step.reasoningText ?? null),
  steps: (await said.steps).length,
  usage: (({ inputTokens, inputTokenDetails, outputTokens }) => [
    inputTokens,
    inputTokenDetails.cacheReadTokens,
    outputTokens,
  ])(await said.totalUsage),
});

async function stream(provider) {
  const running = streamText({ model: provider, tools, prompt, ...settings });
  let text = '';
  for await (const piece of running.textStream) text += piece;
  return { ...(await gist(running)), text };
}

async function talk(provider) {
  return {
    whole: await gist(await generateText({ model: provider, prompt, ...settings })),
    loop: await gist(await generateText({ model: provider, tools, prompt, ...settings })),
    streamed: await stream(provider),
    object: (await generateObject({ model: provider, schema, prompt, maxRetries: 0 })).object,
    output: (await generateText({ model: provider, output: Output.object({ schema }), prompt, maxRetries: 0 })).output,
  };
}

async function refused() {
  try {
    await generateText({ model: compatible(`${apiKey}_`).chatModel(model), prompt, maxRetries: 2 });
  } catch (error) {
    const { name, statusCode, isRetryable, message } = error;
    return { is_its_own: APICallError.isInstance(error), name, statusCode, isRetryable, message };
  }
  return null;
}

const effort = { providerOptions: { clearway: { reasoningEffort: 'medium' } } };
const said = { refused: await refused() };
for (const [name, provider] of Object.entries(providers)) said[name] = await talk(provider);
said.older = await gist(
  await generateText({ model: compatible().chatModel(older), tools, prompt, ...settings, ...effort }),
);
console.log(JSON.stringify(said));
