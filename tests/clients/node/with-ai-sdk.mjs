// Vercel's AI SDK against a gateway, over one of OpenAI's formats; prints one JSON object with what came back.
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
const { wire, url: baseURL, key: apiKey, model, older, other } = JSON.parse(argv[3]);

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
  baseURL: other.url,
  apiKey: other.key,
  compatibility: 'strict', // otherwise it does not ask a stream for its usage
  headers: { 'x-clearway-reasoning': 'openrouter' },
});
const openai = (place = { url: baseURL, key: apiKey }) => createOpenAI({ baseURL: place.url, apiKey: place.key });

/** What the provider is told to do, so that it takes the model for one that thinks and keeps thoughts itself. */
const keeps = { store: false, forceReasoning: true, reasoningSummary: 'auto' };

/** Each with its model, its options, and an older model that thinks in its loop. */
const talks = {
  chat: {
    openai: [openai().chat(model)],
    compatible: [compatible().chatModel(model)],
    openrouter: [openrouter.chat(model)],
    older: [compatible().chatModel(older), { clearway: { reasoningEffort: 'medium' } }],
    refused: [compatible(`${apiKey}_`).chatModel(model)],
  },
  responses: {
    openai: [openai(other)(model)],
    keeps: [openai()(model), { openai: keeps }],
    older: [openai()(older), { openai: { ...keeps, reasoningEffort: 'medium' } }],
    refused: [openai({ url: baseURL, key: `${apiKey}_` })(model)],
  },
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

async function stream(asked) {
  const running = streamText({ ...asked, tools, prompt });
  let text = '';
  for await (const piece of running.textStream) text += piece;
  return { ...(await gist(running)), text };
}

/** A second question, behind all that was said. */
async function goOn(asked, before) {
  const messages = [
    { role: 'user', content: prompt },
    ...before.responseMessages,
    { role: 'user', content: 'Again.' },
  ];
  return (await generateText({ ...asked, tools, messages })).text;
}

async function talk(model, providerOptions) {
  const asked = { model, providerOptions, ...settings };
  const loop = await generateText({ ...asked, tools, prompt });
  return {
    whole: await gist(await generateText({ ...asked, prompt })),
    loop: await gist(loop),
    goes_on: await goOn(asked, loop),
    streamed: await stream(asked),
    object: (await generateObject({ model, providerOptions, schema, prompt, maxRetries: 0 })).object,
    output: (await generateText({ ...asked, output: Output.object({ schema }), prompt })).output,
  };
}

async function refused(model) {
  try {
    await generateText({ model, prompt, maxRetries: 2 });
  } catch (error) {
    const { name, statusCode, isRetryable, message } = error;
    return { is_its_own: APICallError.isInstance(error), name, statusCode, isRetryable, message };
  }
  return null;
}

const said = {};
for (const [name, [model, providerOptions]] of Object.entries(talks[wire])) {
  if (name === 'refused') said[name] = await refused(model);
  else if (name === 'older') said[name] = await gist(await generateText({ model, providerOptions, tools, prompt, ...settings }));
  else said[name] = await talk(model, providerOptions);
}
console.log(JSON.stringify(said));
